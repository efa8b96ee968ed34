/**
 * A certificate authority of this machine's own, for tests, demos and closed networks: made on first use, kept in the store,
 * trusted by nobody until its certificate is given to the peers.
 *
 * In the store: `local_ca/ca.pem` (certificate), `local_ca/ca-key.pem`, and `local_ca/leaves/NAME.pem` with key and
 * certificate of a leaf in one file, so that they can never be of two different renewals.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { canonicalIp, parseCertificate, validityProblem } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { issueCa, issueLeaf } from './issue.ts';
import type { IssuedCertificate } from './issue.ts';
import type { RandomBytes } from './ticket-keys.ts';

/** What the CA needs; the store must be locked, because the CA writes to it. */
export interface LocalCaOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Cryptographically strong bytes, for serial numbers. */
  readonly random: RandomBytes;
}

const CA_CERTIFICATE = 'local_ca/ca.pem';
const CA_KEY = 'local_ca/ca-key.pem';
const DAY_MS = 24 * 60 * 60 * 1000;
const CA_LIFETIME_MS = 3652 * DAY_MS;
const LEAF_LIFETIME_MS = 90 * DAY_MS;
/** Certificates begin a little in the past, for peers whose clocks are slow. */
const BACKDATE_MS = 60 * 60 * 1000;

/** Issues leaves and finds them again after a restart. */
export class LocalCa {
  readonly #options: LocalCaOptions;
  readonly #ca: IssuedCertificate;
  readonly #certificate: X509Certificate;

  private constructor(options: LocalCaOptions, ca: IssuedCertificate) {
    this.#options = options;
    this.#ca = ca;
    this.#certificate = new X509Certificate(ca.certificate);
  }

  /**
   * Loads the CA from the store, or makes and stores one when there is none.
   * @throws PorticoError `LOCAL_CA_BROKEN` (half of it is missing, damaged, or the halves do not belong together: a new one
   * would silently lose the trust of every peer), and what the store throws
   */
  static async open(options: LocalCaOptions): Promise<LocalCa> {
    const { store, clock, random } = options;
    const certificate = await store.get(CA_CERTIFICATE);
    const key = await store.get(CA_KEY);
    if (certificate !== null) {
      return new LocalCa(options, checkedCa(certificate.toString(), key?.toString() ?? null));
    }
    // A key without certificate is what a crash between the two writes below leaves; nobody has seen its certificate.
    const notBefore = clock.now() - BACKDATE_MS;
    const ca = await issueCa('Portico local CA', { notBefore, notAfter: notBefore + CA_LIFETIME_MS }, random);
    await store.put(CA_KEY, ca.key);
    await store.put(CA_CERTIFICATE, ca.certificate);
    return new LocalCa(options, ca);
  }

  /** The CA's certificate, for peers to trust. */
  get caPem(): string {
    return this.#ca.certificate;
  }

  /**
   * The leaf for one name: the stored one while it is good, else a new one, stored before it is returned.
   * @param name - DNS name, wildcard, or IP literal
   * @throws PorticoError `LOCAL_CA_EXPIRED`, and what the store throws
   */
  async leafFor(name: string): Promise<CertificateData> {
    const key = leafKey(name);
    const stored = await this.#options.store.get(key);
    // One that cannot be read is simply made anew: nothing depends on its old key.
    const leaf = stored === null ? null : readLeaf(stored.toString());
    if (leaf !== null && this.#isGood(leaf, name)) return leaf;
    return this.newLeafFor(name);
  }

  /**
   * A new leaf for one name, whatever there is; stored before it is returned.
   * @throws PorticoError as {@link LocalCa.leafFor}
   */
  async newLeafFor(name: string): Promise<CertificateData> {
    const issued = await this.#issue(name);
    await this.#options.store.put(leafKey(name), `${issued.key}${issued.certificate}`);
    return parseCertificate(issued.certificate, issued.key, 'local_ca');
  }

  /** {@link LocalCa.leafFor} makes a new one from then on. */
  isDue(leaf: Pick<CertificateData, 'notBefore' | 'notAfter'>): boolean {
    return this.#options.clock.now() >= localCaRenewalAt(leaf);
  }

  async #issue(name: string): Promise<IssuedCertificate> {
    const now = this.#options.clock.now();
    const caEnd = this.#certificate.validToDate.getTime();
    if (now >= caEnd) {
      throw new PorticoError('LOCAL_CA_EXPIRED', `The local CA expired on ${this.#certificate.validTo}.`, {
        fix: 'Delete local_ca in the store, start again, and give the new CA certificate to the peers that trusted the old one.',
      });
    }
    const notBefore = now - BACKDATE_MS;
    // A leaf that outlives its CA is refused by some peers from the start.
    const notAfter = Math.min(notBefore + LEAF_LIFETIME_MS, caEnd);
    return issueLeaf(this.#ca, [name], { notBefore, notAfter }, this.#options.random);
  }

  #isGood(leaf: CertificateData, name: string): boolean {
    const sameName = leaf.names.length === 1 && leaf.names[0] === (canonicalIp(name) ?? name.toLowerCase());
    const certificate = new X509Certificate(leaf.chain);
    const sameIssuer = certificate.checkIssued(this.#certificate) && certificate.verify(this.#certificate.publicKey);
    return sameName && sameIssuer && validityProblem(leaf, this.#options.clock.now()) === null && !this.isDue(leaf);
  }
}

/** When a leaf is due: a third of its life is left then. Milliseconds since the epoch. */
export function localCaRenewalAt(leaf: Pick<CertificateData, 'notBefore' | 'notAfter'>): number {
  return leaf.notAfter - (leaf.notAfter - leaf.notBefore) / 3;
}

/**
 * The leaf that is in the store for a name, good or not, without making anything: for looking in from outside.
 * @returns null when there is none that can be read
 * @throws PorticoError what the store throws
 */
export async function storedLocalCaLeaf(store: Store, name: string): Promise<CertificateData | null> {
  const stored = await store.get(leafKey(name));
  return stored === null ? null : readLeaf(stored.toString());
}

function readLeaf(text: string): CertificateData | null {
  try {
    return parseCertificate(text, text, 'local_ca');
  } catch (error) {
    if (error instanceof PorticoError) return null;
    throw error;
  }
}

function checkedCa(certificate: string, key: string | null): IssuedCertificate {
  if (key === null) throw broken(`${CA_KEY} is missing`);
  try {
    parseCertificate(certificate, key, 'local_ca');
  } catch (cause) {
    throw broken(messageOf(cause), cause);
  }
  return { certificate, key };
}

function broken(why: string, cause?: unknown): PorticoError {
  return new PorticoError('LOCAL_CA_BROKEN', `The local CA in the store is damaged: ${why}`, {
    fix: 'Restore local_ca/ca.pem and local_ca/ca-key.pem from a backup, or delete both and give the new CA certificate to every peer.',
    cause,
  });
}

/** DNS names hold no underscore, so these replacements cannot make two names equal. */
function leafKey(name: string): string {
  const plain = (canonicalIp(name) ?? name.toLowerCase()).replaceAll(':', '_').replace('*', '_');
  const segment = plain.length > 190 ? createHash('sha256').update(plain).digest('hex') : plain;
  return `local_ca/leaves/${segment}.pem`;
}
