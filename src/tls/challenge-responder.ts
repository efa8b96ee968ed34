/** What the data plane answers ACME validators with; it is handed one and never asks who fills it. */
export interface ChallengeResponder {
  /**
   * The key authorization for an HTTP-01 token, whatever the Host (RFC 8555 §8.3).
   * @returns null when there is no such challenge; the request is then routed as any other
   */
  http01(token: string): string | null;
  /**
   * The certificate for a TLS-ALPN-01 validation (RFC 8737 §3).
   * @param servername - as it came in SNI, lower case: a DNS name, or the `in-addr.arpa` or `ip6.arpa` name of an IP identifier
   * @returns null when there is no such challenge; the handshake is then refused
   */
  tlsAlpn01(servername: string): { readonly certificate: string; readonly key: string } | null;
}

/** The protocol of TLS-ALPN-01, RFC 8737 §6.2. */
export const ACME_TLS = 'acme-tls/1';

const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** True for what can be a token: base64url without padding (RFC 8555 §8.3), of a bounded length. */
export function isChallengeToken(text: string): boolean {
  return TOKEN.test(text);
}
