/** Certificates of the local CA for the names that the config gives to it. */
import { canonicalIp, wildcardOf } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { CertificateSource } from './certificate-source.ts';
import type { LocalCa } from './local-ca.ts';

export interface LocalCaSourceOptions {
  readonly ca: LocalCa;
  /** DNS names, wildcards and IP literals that have `local_ca: true`; each gets a certificate of its own. */
  readonly names: readonly string[];
  /** Hears of a renewal that failed; the certificate in use stays, and the next look tries again. */
  readonly onProblem: (problem: PorticoError, names: readonly string[]) => void;
  /** How often to look for certificates that are due; default one hour. */
  readonly intervalMs?: number;
}

const DEFAULT_INTERVAL_MS = 60 * 60 * 1000;

/** Issues on the first question for a name and renews by itself while it is open. */
export class LocalCaSource implements CertificateSource {
  readonly kind = 'local_ca';
  readonly #options: LocalCaSourceOptions;
  readonly #names: ReadonlySet<string>;
  /** Promises, so that two questions at once make one certificate. */
  readonly #leaves = new Map<string, Promise<CertificateData>>();
  readonly #listeners: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(options: LocalCaSourceOptions) {
    this.#options = options;
    this.#names = new Set(options.names.map(canonicalName));
    this.#timer = setInterval(() => void this.refresh(), options.intervalMs ?? DEFAULT_INTERVAL_MS);
    this.#timer.unref();
  }

  /** The CA's certificate, for peers to trust. */
  get caPem(): string {
    return this.#options.ca.caPem;
  }

  /** @throws PorticoError what {@link LocalCa.leafFor} throws */
  async certificateFor(name: string): Promise<CertificateData | null> {
    const listed = this.#listedName(canonicalName(name));
    if (listed === null) return null;
    const known = this.#leaves.get(listed);
    if (known !== undefined) return known;
    const made = this.#options.ca.leafFor(listed);
    this.#leaves.set(listed, made);
    try {
      return await made;
    } catch (error) {
      this.#leaves.delete(listed);
      throw error;
    }
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Renews what is due now; the timer calls it, and whoever wants to hurry. Never rejects. */
  async refresh(): Promise<void> {
    let changed = false;
    for (const [name, leaf] of [...this.#leaves]) {
      try {
        const old = await leaf;
        if (!this.#options.ca.isDue(old)) continue;
        const renewed = await this.#options.ca.leafFor(name);
        this.#leaves.set(name, Promise.resolve(renewed));
        changed ||= renewed.id !== old.id;
      } catch (cause) {
        this.#report(name, cause);
      }
    }
    if (changed) this.#tellChange();
  }

  /** @throws PorticoError what {@link LocalCa.newLeafFor} throws; the certificate in use stays then */
  async renew(name: string): Promise<boolean> {
    const listed = this.#listedName(canonicalName(name));
    if (listed === null) return false;
    this.#leaves.set(listed, Promise.resolve(await this.#options.ca.newLeafFor(listed)));
    this.#tellChange();
    return true;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #tellChange(): void {
    if (!this.#closed) for (const listener of this.#listeners) listener();
  }

  #listedName(name: string): string | null {
    if (this.#names.has(name)) return name;
    const wildcard = wildcardOf(name);
    return canonicalIp(name) === null && this.#names.has(wildcard) ? wildcard : null;
  }

  #report(name: string, cause: unknown): void {
    if (this.#closed) return;
    const code = cause instanceof PorticoError ? cause.code : 'LOCAL_CA_RENEWAL_FAILED';
    const fix = cause instanceof PorticoError ? cause.fix : undefined;
    this.#options.onProblem(
      new PorticoError(code, `The certificate for ${name} could not be renewed: ${messageOf(cause)}`, {
        ...(fix === undefined ? {} : { fix }),
        cause,
      }),
      [name],
    );
  }
}

function canonicalName(name: string): string {
  return canonicalIp(name) ?? name.toLowerCase();
}
