/**
 * Keeps SecureContexts. Building one costs some 0.7 ms of CPU and 30 kB, so they are built when a client first asks for
 * the name and the least recently used go when there are too many.
 */
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { CertificateData } from '../base/certificate.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import { secureContextOptions } from './options.ts';
import type { MinTlsVersion } from './options.ts';

/** About 60 MB when full. */
const DEFAULT_MAX_CONTEXTS = 2000;

/** Counters since the start, for metrics. */
export interface SecureContextsStats {
  /** Contexts held now. */
  readonly size: number;
  readonly hits: number;
  readonly misses: number;
  /** Contexts built; `misses` less those that could not be built. */
  readonly builds: number;
}

interface Entry {
  readonly chain: string;
  readonly context: SecureContext;
}

/** A cache of contexts that outlives snapshots: a certificate that is in the next one too keeps its context. */
export class SecureContexts {
  readonly #entries: LRUCache<string, Entry>;
  #hits = 0;
  #misses = 0;
  #builds = 0;

  /** @param max - contexts to hold at most */
  constructor(max = DEFAULT_MAX_CONTEXTS) {
    this.#entries = new LRUCache({ max });
  }

  /**
   * The context of a certificate, built now if need be.
   * @throws PorticoError `TLS_CONTEXT_FAILED` when OpenSSL refuses the certificate or its key
   */
  get(certificate: CertificateData, minVersion: MinTlsVersion): SecureContext {
    const key = `${minVersion} ${certificate.id}`;
    const entry = this.#entries.get(key);
    // A new chain for the same leaf (the issuer changed its intermediate) has the same id.
    if (entry?.chain === certificate.chain) {
      this.#hits++;
      return entry.context;
    }
    this.#misses++;
    const context = buildContext(certificate, minVersion);
    this.#builds++;
    this.#entries.set(key, { chain: certificate.chain, context });
    return context;
  }

  stats(): SecureContextsStats {
    return { size: this.#entries.size, hits: this.#hits, misses: this.#misses, builds: this.#builds };
  }
}

function buildContext(certificate: CertificateData, minVersion: MinTlsVersion): SecureContext {
  try {
    return createSecureContext({
      ...secureContextOptions(minVersion),
      cert: certificate.chain,
      key: certificate.key,
    });
  } catch (cause) {
    const names = certificate.names.join(', ');
    throw new PorticoError('TLS_CONTEXT_FAILED', `The certificate for ${names} cannot be used: ${messageOf(cause)}.`, {
      fix: 'Get a new certificate with an ECDSA P-256 or RSA 2048 key and a SHA-256 signature.',
      cause,
    });
  }
}
