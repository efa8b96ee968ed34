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
