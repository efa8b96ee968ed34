/** What a certificate is ordered for (RFC 8555 §7.1.3 and RFC 8738 §3). */
import { isIpLiteral } from '../base/address.ts';

/** A DNS name in lower case, `*.` in front for a wildcard, or an IP literal without brackets in its canonical form. */
export interface AcmeIdentifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** The identifier of a certificate name as the config knows it. */
export function identifierOf(name: string): AcmeIdentifier {
  return { type: isIpLiteral(name) ? 'ip' : 'dns', value: name };
}
