/**
 * Keeps the files of other programs (coturn, mail) up to date with the certificates in use, and tells those programs.
 *
 * A hook that is owed is noted in the store before the files change, and struck out when it has succeeded: one that failed, or
 * that a crash or a stop came before, is run with the next change or the next start.
 */
import { createHash } from 'node:crypto';
import { coversName, type CertificateData } from '../base/certificate.ts';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { runHook } from './hook.ts';
import { isPairInPlace, writePair, type PairPlace } from './write-pair.ts';

/** One certificate and where it goes. */
export interface ExportTarget extends PairPlace {
  /** DNS name, wildcard or IP literal. */
  readonly name: string;
  /** Program and arguments, run after both files have been replaced; null: nothing is run. */
  readonly hook: readonly string[] | null;
}

/** What happened to one target. */
export interface ExportEvent {
  readonly target: ExportTarget;
  /** True when the files were replaced; false when only the hook was still owed. */
  readonly written: boolean;
}

export interface ExporterOptions {
  /** Locked for writing by whoever made it. */
  readonly store: Store;
  /** The environment of hooks: PATH and what else they need. */
  readonly environment: Readonly<Record<string, string>>;
  readonly onExported: (event: ExportEvent) => void;
  /** Hears of each failure; the other targets go on, and all are tried again with the next change. */
  readonly onProblem: (problem: PorticoError) => void;
  /** How long a hook may take; default {@link HOOK_LIMIT_MS}. */
  readonly hookLimitMs?: number;
}

/** Reloading a service takes a second; a hook that takes longer than this hangs. */
export const HOOK_LIMIT_MS = 30_000;

/** One run at a time; certificates that come meanwhile wait, and only the latest of them. */
export class CertificateExporter {
  readonly #options: ExporterOptions;
  readonly #stopped = new AbortController();
  /** Hooks that are owed, by their key in the store: also those that the store could not take. */
  readonly #owed = new Set<string>();
  #targets: readonly ExportTarget[] = [];
  #waiting: readonly CertificateData[] | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** What is exported from the next change on. */
  setTargets(targets: readonly ExportTarget[]): void {
    this.#targets = targets;
  }

  /**
   * Brings all targets up to date with the certificates in use.
   * @returns resolves when that is done; never rejects
   */
  exportChanged(certificates: readonly CertificateData[]): Promise<void> {
    this.#waiting = certificates;
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Ends what is under way: a hook is ended, and owed at the next start. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting !== null) {
      const certificates = this.#waiting;
      this.#waiting = null;
      for (const target of this.#targets) {
        if (this.#stopped.signal.aborted) break;
        await this.#exportOne(target, certificates).catch((error: unknown) => {
          this.#options.onProblem(asProblem(error));
        });
      }
    }
    this.#running = null;
  }

  async #exportOne(target: ExportTarget, certificates: readonly CertificateData[]): Promise<void> {
    const certificate = certificateFor(target.name, certificates);
    const written = !(await isPairInPlace(target, certificate));
    if (written) {
      if (target.hook !== null) await this.#owe(target, certificate);
      await writePair(target, certificate);
    } else if (target.hook === null || !(await this.#isOwed(target))) return;
    if (target.hook !== null) {
      await runHook(
        {
          words: target.hook,
          environment: hookEnvironment(target, this.#options.environment),
          limitMs: this.#options.hookLimitMs ?? HOOK_LIMIT_MS,
        },
        this.#stopped.signal,
      );
      this.#owed.delete(owedKey(target));
      await this.#tryStore(() => this.#options.store.delete(owedKey(target)));
    }
    this.#options.onExported({ target, written });
  }

  async #owe(target: ExportTarget, certificate: CertificateData): Promise<void> {
    this.#owed.add(owedKey(target));
    await this.#tryStore(() => this.#options.store.put(owedKey(target), certificate.id));
  }

  async #isOwed(target: ExportTarget): Promise<boolean> {
    if (this.#owed.has(owedKey(target))) return true;
    return ((await this.#tryStore(() => this.#options.store.get(owedKey(target)))) ?? null) !== null;
  }

  /** A store that is in trouble keeps no file from being exported. */
  async #tryStore<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.onProblem(asProblem(error));
      return undefined;
    }
  }
}

/** What a hook is told. */
export function hookEnvironment(
  target: Pick<ExportTarget, 'name' | 'chainPath' | 'keyPath'>,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ...environment,
    PORTICO_NAME: target.name,
    PORTICO_CHAIN: target.chainPath,
    PORTICO_KEY: target.keyPath,
  };
}

/**
 * The certificate for a name, one with that very name before a wildcard that covers it.
 * @throws PorticoError `EXPORT_NAME_UNKNOWN`
 */
function certificateFor(name: string, certificates: readonly CertificateData[]): CertificateData {
  const found =
    certificates.find(({ names }) => names.includes(name)) ?? certificates.find(({ names }) => coversName(names, name));
  if (found !== undefined) return found;
  throw new PorticoError('EXPORT_NAME_UNKNOWN', `There is no certificate for ${name} to export.`, {
    fix: 'Export a name that Portico serves: see the hosts of the sites.',
  });
}

/** Chains are written by one target each. */
function owedKey({ chainPath }: ExportTarget): string {
  return `exports/${createHash('sha256').update(chainPath).digest('hex').slice(0, 32)}.owed`;
}

function asProblem(error: unknown): PorticoError {
  if (error instanceof PorticoError) return error;
  return new PorticoError('EXPORT_UNWRITABLE', `An export failed (${codeOf(error)}): ${messageOf(error)}.`, {
    cause: error,
  });
}
