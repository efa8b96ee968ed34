/** A certificate as plain data: it goes into the snapshot and can cross a process boundary. */
export interface CertificateData {
  /** SHA-256 of the leaf's DER, lower-case hex; names the certificate in logs, caches and metrics. */
  readonly id: string;
  /** Names the leaf is valid for: DNS names in lower case (`*.example.com` for a wildcard) and IP literals. */
  readonly names: readonly string[];
  /** Leaf first, then the intermediates; PEM. */
  readonly chain: string;
  /** Private key, PEM (PKCS #8 or SEC 1). Never logged. */
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** Where it came from. */
  readonly source: 'files' | 'local_ca' | 'acme';
}
