/** Looks at a chain that an authority has sent before it is used for anything. */
import { coversName, parseCertificate, validityProblem } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import { PorticoError } from '../base/errors.ts';

/** What was ordered. */
export interface ExpectedCertificate {
  /** PEM of the key that the request was signed with. */
  readonly key: string;
  readonly names: readonly string[];
}

/** Authorities date certificates back by an hour; a clock that is slower than that is wrong, but the certificate is not. */
const SLOW_CLOCK_MS = 60 * 60 * 1000;

/**
 * Checks that the chain is in order and verifies link by link, belongs to the key, is for TLS servers, covers every name, and
 * is inside its dates.
 * @param now - milliseconds since the epoch
 * @throws PorticoError `ACME_CHAIN_REFUSED` with the reason; `ACME_CHAIN_DATES` when only its dates speak against it, which may be
 * this machine's clock: the same chain may be good later
 */
export function checkReceivedChain(chainPem: string, expected: ExpectedCertificate, now: number): CertificateData {
  let certificate: CertificateData;
  try {
    certificate = parseCertificate(chainPem, expected.key, 'acme');
  } catch (cause) {
    if (!(cause instanceof PorticoError)) throw cause;
    throw refused(cause.message.replace(/\.$/, ''), cause);
  }
  const missing = expected.names.filter((name) => !coversName(certificate.names, name));
  if (missing.length > 0) throw refused(`it does not cover ${missing.join(', ')}`);
  checkDates(certificate, now);
  return certificate;
}

function checkDates(certificate: CertificateData, now: number): void {
  const problem = validityProblem(certificate, now);
  if (problem === null) return;
  if (problem === 'not_yet_valid' && now >= certificate.notBefore - SLOW_CLOCK_MS) return;
  const dates = `${new Date(certificate.notBefore).toISOString()} to ${new Date(certificate.notAfter).toISOString()}`;
  throw new PorticoError(
    'ACME_CHAIN_DATES',
    `The certificate that the authority sent is ${problem === 'expired' ? 'expired' : 'not yet valid'}: ${dates}, and it is ${new Date(now).toISOString()} here.`,
    { fix: 'Check the clock of this machine (timedatectl). The old certificate stays in use.' },
  );
}

function refused(why: string, cause?: unknown): PorticoError {
  return new PorticoError('ACME_CHAIN_REFUSED', `The certificate that the authority sent is refused: ${why}.`, {
    fix: 'Nothing here: the fault is with the authority. The old certificate stays in use, and Portico orders again.',
    cause,
  });
}
