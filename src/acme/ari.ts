/** ACME Renewal Information (RFC 9773): the name of a certificate there, and the authority's answer. */
// The X.509 library needs the metadata API before it is loaded.
import 'reflect-metadata';
import { AuthorityKeyIdentifierExtension, X509Certificate } from '@peculiar/x509';
import { PorticoError } from '../base/errors.ts';
import { httpsUrl } from './directory.ts';
import type { RenewalInfo } from './renewal-info.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { AcmeHttpResponse } from './transport.ts';

/**
 * The unique identifier of a certificate (RFC 9773 §4.1): authority key identifier and serial number.
 * @param leafPem - the leaf; more certificates may follow
 * @returns null when it cannot be read or has no authority key identifier, so that no authority knows it by one
 */
export function ariCertId(leafPem: string): string | null {
  let certificate: X509Certificate;
  try {
    const leaf = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(leafPem);
    if (leaf === null) return null;
    certificate = new X509Certificate(leaf[0]);
  } catch {
    // Damaged: there is no identifier then, which is all that the caller needs to know.
    return null;
  }
  const keyId = certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  // The number as DER has it: a leading zero byte where it would be negative without (RFC 9773 §4.1).
  const serial = Buffer.from(certificate.serialNumber, 'hex');
  const signed = (serial[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), serial]) : serial;
  return `${Buffer.from(keyId, 'hex').toString('base64url')}.${signed.toString('base64url')}`;
}

/**
 * Reads the answer to a GET of renewal information (RFC 9773 §4.2). The window is not judged.
 * @param now - milliseconds since the epoch
 * @returns null when the authority does not know the certificate
 * @throws PorticoError `ACME_ARI_INVALID` when it is no window at all
 */
export function readRenewalInfo(response: AcmeHttpResponse, now: number): RenewalInfo | null {
  const { status, headers, body } = response;
  if (status === 404) return null;
  if (status !== 200) throw invalid(`HTTP status ${String(status)}`);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const document = isRecord(value) ? value : {};
  const { suggestedWindow: suggested, explanationURL: explanation } = document;
  const window = isRecord(suggested) ? suggested : {};
  const start = dateOf(window.start);
  const end = dateOf(window.end);
  if (start === null || end === null) throw invalid('it has no window with start and end');
  return {
    start,
    end,
    explanationUrl: httpsUrl(explanation),
    receivedAt: now,
    retryAfterMs: parseRetryAfter(headers['retry-after'], now),
  };
}

/** RFC 3339 only: Date.parse takes much else. */
function dateOf(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i.test(value))
    return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(why: string, cause?: unknown): PorticoError {
  return new PorticoError('ACME_ARI_INVALID', `The authority's renewal information is refused: ${why}.`, {
    fix: 'Nothing: the certificate is renewed by its own dates, and the authority is asked again.',
    cause,
  });
}
