/**
 * Certificates from files that somebody else renews (certbot, Kubernetes secrets, a copy job). Directories are watched and
 * the files looked at regularly besides. A pair is taken only when it is whole and fits; until then the old one stays.
 */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalIp, coversName, parseCertificate, validityProblem, wildcardOf } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import { readRegularFile } from '../store/read-file.ts';
import type { CertificateSource } from './certificate-source.ts';
import { DirectoryWatch } from './directory-watch.ts';

/** One pair of files and the names it is to be used for. */
export interface CertificateFiles {
  /** DNS names, wildcards and IP literals. */
  readonly names: readonly string[];
  /** Full chain, PEM. */
  readonly chainPath: string;
  /** Private key, PEM. */
  readonly keyPath: string;
}

export interface FilesSourceOptions {
  readonly entries: readonly CertificateFiles[];
  readonly clock: Clock;
  /** Hears once of each new problem with files; the last good certificate stays in use. */
  readonly onProblem: (problem: PorticoError, names: readonly string[]) => void;
  /** How often the files are looked at without any event; default 15 s. */
  readonly pollMs?: number;
  /** How long two files may take to be replaced one after the other before that is a problem; default 1 s. */
  readonly settleMs?: number;
}

const DEFAULT_POLL_MS = 15_000;
const DEFAULT_SETTLE_MS = 1000;
/** Far beyond any chain or key; a file of another kind under the same name is not read into memory. */
const MAX_FILE_BYTES = 1024 * 1024;

interface FilesState {
  readonly files: CertificateFiles;
  /** The last certificate that was read whole and in order. */
  good: CertificateData | null;
  /** What the files looked like when `good` was read. */
  goodSignature: string;
  /** Why the files as they are now cannot be used; null when they can. */
  problem: PorticoError | null;
  /** The problem seen last and what the files looked like then, and whether it has been told. */
  failed: { readonly key: string; told: boolean } | null;
  /** True once it has been told that `good` is outside its dates. */
  outsideTold: boolean;
}

/** Serves each listed name from its files and follows their changes until it is closed. */
export class FilesSource implements CertificateSource {
  readonly kind = 'files';
  readonly #options: FilesSourceOptions;
  readonly #states: FilesState[];
  /** By each listed name in its canonical form, wildcards included. */
  readonly #byName = new Map<string, FilesState>();
  readonly #listeners: (() => void)[] = [];
  readonly #watch: DirectoryWatch;
  readonly #poll: NodeJS.Timeout;
  #settle: NodeJS.Timeout | undefined;
  /** Looks follow one another, so that a slow one cannot overwrite what a later one found. */
  #lastLook: Promise<void>;
  #closed = false;

  constructor(options: FilesSourceOptions) {
    this.#options = options;
    this.#states = options.entries.map((files) => ({
      files,
      good: null,
      goodSignature: '',
      problem: null,
      failed: null,
      outsideTold: false,
    }));
    for (const state of this.#states) {
      for (const name of state.files.names.map(canonicalName)) {
        if (!this.#byName.has(name)) this.#byName.set(name, state);
      }
    }
    // Directories, not files: renewals replace files and links, which ends a watch on the file itself.
    const directories = options.entries.flatMap(({ chainPath, keyPath }) => [dirname(chainPath), dirname(keyPath)]);
    this.#watch = new DirectoryWatch(directories, () => {
      this.#lookSoon();
    });
    this.#lastLook = this.#look();
    this.#poll = setInterval(() => void this.refresh(), options.pollMs ?? DEFAULT_POLL_MS);
    this.#poll.unref();
  }

  /**
   * A certificate that has expired while it was in use is still handed out, and said to `onProblem`: with it some peers
   * come through, without any none would, and other names must not wait for this one.
   * @throws PorticoError when the name is listed and there has never been a good pair of files (`CERT_FILE_UNREADABLE`,
   * `CERT_NAME_NOT_COVERED`, `CERT_EXPIRED`, `CERT_NOT_YET_VALID`, and the codes of `parseCertificate`)
   */
  async certificateFor(name: string): Promise<CertificateData | null> {
    const wanted = canonicalName(name);
    const state = this.#byName.get(wanted) ?? (isAddress(wanted) ? undefined : this.#byName.get(wildcardOf(wanted)));
    if (state === undefined) return null;
    await this.#lastLook;
    const { good, problem, files } = state;
    if (good === null) throw problem ?? unreadable(files.chainPath, new Error('it was not read'));
    return good;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the files now; for SIGHUP and tests. Never rejects: problems go to `onProblem`. */
  refresh(): Promise<void> {
    this.#lastLook = this.#lastLook.then(() => this.#look());
    return this.#lastLook;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    this.#watch.close();
  }

  async #look(): Promise<void> {
    let changed = false;
    // Before the files are read: what changes after that is heard.
    await this.#watch.renew();
    for (const state of this.#states) {
      if (this.#closed) return;
      changed = (await this.#lookAt(state)) || changed;
      this.#judgeDates(state);
    }
    if (changed && !this.#isClosed()) for (const listener of this.#listeners) listener();
  }

  /** @returns true when there is a certificate that nobody has been given yet, and somebody has asked before */
  async #lookAt(state: FilesState): Promise<boolean> {
    const signature = await signatureOf(state.files);
    if (state.good !== null && signature === state.goodSignature) {
      state.problem = null;
      state.failed = null;
      return false;
    }
    try {
      const fresh = await readFiles(state.files, this.#options.clock.now());
      if (state.good !== null && (await signatureOf(state.files)) !== signature) {
        // Somebody is writing at this moment: what was read may be half of it.
        this.#lookSoon();
        return false;
      }
      const before = state.good;
      const recovered = before === null && state.problem !== null;
      state.good = fresh;
      state.goodSignature = signature;
      state.problem = null;
      state.failed = null;
      return recovered || (before !== null && (before.id !== fresh.id || before.chain !== fresh.chain));
    } catch (cause) {
      this.#fail(state, signature, cause instanceof PorticoError ? cause : unreadable(state.files.chainPath, cause));
      return false;
    }
  }

  /**
   * Chain and key are two files, so every renewal has a moment in which they do not match. A problem is told when it is still
   * there, with the same files, at the next look; one at the very start is not told but thrown by `certificateFor`.
   */
  #fail(state: FilesState, signature: string, problem: PorticoError): void {
    state.problem = problem;
    if (state.good === null || this.#closed) return;
    const key = `${signature} ${problem.code}`;
    if (state.failed?.key !== key) {
      state.failed = { key, told: false };
      this.#lookSoon();
    } else if (!state.failed.told) {
      state.failed.told = true;
      this.#options.onProblem(problem, state.files.names);
    }
  }

  /** The certificate in use may pass its end without any change of files. */
  #judgeDates(state: FilesState): void {
    if (state.good === null || this.#isClosed()) return;
    const outside = datesProblem(state.files, state.good, this.#options.clock.now());
    if (outside !== null && !state.outsideTold) this.#options.onProblem(outside, state.files.names);
    state.outsideTold = outside !== null;
  }

  #lookSoon(): void {
    if (this.#closed) return;
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => void this.refresh(), this.#options.settleMs ?? DEFAULT_SETTLE_MS);
    this.#settle.unref();
  }

  /** A method, because `close` may be called while a look awaits. */
  #isClosed(): boolean {
    return this.#closed;
  }
}

/** As in {@link CertificateData.names}. */
function canonicalName(name: string): string {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return canonicalIp(bare) ?? bare.toLowerCase();
}

function isAddress(name: string): boolean {
  return canonicalIp(name) !== null;
}

/** What changes whenever either file does, through any number of links. */
async function signatureOf(files: CertificateFiles): Promise<string> {
  const parts = await Promise.all(
    [files.chainPath, files.keyPath].map(async (path) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs].join(':');
      } catch (error) {
        return messageOf(error);
      }
    }),
  );
  return parts.join(' ');
}

/** Reads a pair and checks it as far as it would serve now, so that a useless file never replaces a good certificate. */
async function readFiles(files: CertificateFiles, now: number): Promise<CertificateData> {
  const chain = await readText(files.chainPath);
  const key = await readText(files.keyPath);
  const certificate = parseFiles(files, chain, key);
  const missing = files.names.filter((name) => !coversName(certificate.names, name));
  if (missing.length > 0) {
    throw new PorticoError(
      'CERT_NAME_NOT_COVERED',
      `The certificate in ${files.chainPath} is not for ${missing.join(', ')}.`,
      { fix: `Get one whose subjectAltName has them too; this one has ${certificate.names.join(', ') || 'no names'}.` },
    );
  }
  const outside = datesProblem(files, certificate, now);
  if (outside !== null) throw outside;
  return certificate;
}

function parseFiles(files: CertificateFiles, chain: string, key: string): CertificateData {
  try {
    return parseCertificate(chain, key, 'files');
  } catch (cause) {
    if (!(cause instanceof PorticoError)) throw cause;
    const where = cause.code.startsWith('CERT_KEY') ? files.keyPath : files.chainPath;
    throw new PorticoError(cause.code, `${where}: ${cause.message}`, {
      ...(cause.fix === undefined ? {} : { fix: cause.fix }),
      cause,
    });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await readRegularFile(path, MAX_FILE_BYTES)).toString('utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): PorticoError {
  return new PorticoError('CERT_FILE_UNREADABLE', `${path} cannot be read: ${messageOf(cause)}.`, {
    fix: 'Check the path, and that the user Portico runs as may read the file and enter its directories.',
    cause,
  });
}

function datesProblem(files: CertificateFiles, certificate: CertificateData, now: number): PorticoError | null {
  const iso = (at: number): string => new Date(at).toISOString();
  switch (validityProblem(certificate, now)) {
    case null:
      return null;
    case 'expired':
      return new PorticoError(
        'CERT_EXPIRED',
        `The certificate in ${files.chainPath} expired on ${iso(certificate.notAfter)}.`,
        { fix: 'Renew it, and see why its renewal did not run or did not reach this file.' },
      );
    case 'not_yet_valid':
      return new PorticoError(
        'CERT_NOT_YET_VALID',
        `The certificate in ${files.chainPath} is not valid before ${iso(certificate.notBefore)}.`,
        { fix: "Check this machine's clock; if it is right, put the certificate in place later." },
      );
  }
}
