/** Server name → certificate. Pure: built once per snapshot, a look-up is one or two map reads. */
import { canonicalIp, wildcardOf } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';

/** Answers which certificate a client gets. */
export interface CertificateIndex {
  /**
   * The exact name, else the wildcard of its first label.
   * @param name - in lower case without trailing dot, as {@link ClientHello.servername}; an IP literal works too
   * @returns null when nothing covers the name: refuse the handshake
   */
  forServername(name: string): CertificateData | null;
  /** For clients that send no name or an IP literal; null when no certificate covers the default name. */
  readonly default: CertificateData | null;
}

/**
 * Builds the index. Among several certificates for the same exact name, or the same wildcard, the one that expires last
 * wins, and among equals the first of the list.
 * @param defaultName - `tls.default_name`: a DNS name or an IP literal
 */
export function createCertificateIndex(
  certificates: readonly CertificateData[],
  defaultName: string,
): CertificateIndex {
  const byName = new Map<string, CertificateData>();
  for (const certificate of certificates) {
    for (const name of certificate.names) {
      const rival = byName.get(name);
      if (rival === undefined || rival.notAfter < certificate.notAfter) byName.set(name, certificate);
    }
  }
  const forServername = (name: string): CertificateData | null =>
    byName.get(name) ?? byName.get(wildcardOf(name)) ?? null;
  return { forServername, default: forServername(canonicalName(defaultName)) };
}

function canonicalName(name: string): string {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return canonicalIp(bare) ?? bare.toLowerCase();
}
