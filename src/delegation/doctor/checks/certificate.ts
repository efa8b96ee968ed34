import { coversName } from '../../../base/certificate.ts';
import type { Check, Finding } from '../finding.ts';
import { openPlaces, perPlace } from '../places.ts';
import type { OpenPlace } from '../places.ts';

const DATES = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
/** What OpenSSL says when the issuer of the last certificate shown is not at hand. */
const INCOMPLETE = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

/** The certificate is for the name that peers check, inside its dates, with its chain. */
export const certificate: Check = {
  codes: [
    'certificate-wrong-name',
    'certificate-dates',
    'certificate-chain-incomplete',
    'certificate-untrusted',
    'certificate-expires-soon',
  ],
  judge: (evidence) => {
    const places = openPlaces(evidence);
    const { now } = evidence;
    return [
      ...wrongNames(places),
      ...perPlace('certificate-dates', places, (place) => datesProblem(place, now)),
      ...perPlace('certificate-chain-incomplete', places, (place) => {
        const { chainProblem, chain } = place.tls.value;
        if (chainProblem === null || !INCOMPLETE.has(chainProblem) || chain.length > 1) return null;
        return `only the leaf is sent, without the certificate of ${chain[0]?.issuer ?? 'its issuer'} (${chainProblem})`;
      }),
      ...perPlace('certificate-untrusted', places, (place) => {
        const { chainProblem, chain } = place.tls.value;
        if (chainProblem === null || DATES.has(chainProblem)) return null;
        if (INCOMPLETE.has(chainProblem) && chain.length < 2) return null;
        return `issued by ${chain.at(-1)?.issuer ?? 'nobody'} (${chainProblem})`;
      }),
      ...perPlace('certificate-expires-soon', places, (place) => expiresSoon(place, now)),
    ];
  },
};

/** One finding for each change to make: the addresses of one port need the same. */
function wrongNames(places: readonly OpenPlace[]): Finding[] {
  const fixOf = ({ target, port }: OpenPlace): string =>
    `Get a certificate for ${target.certificateName} and serve it on port ${String(port)}.`;
  return [...Map.groupBy(places, fixOf)].flatMap(([fix, same]) =>
    perPlace('certificate-wrong-name', same, wrongName, fix),
  );
}

function wrongName({ target, tls }: OpenPlace): string | null {
  const { certificateName, addressName, srv } = target;
  const names = tls.value.chain[0]?.names ?? [];
  if (coversName(names, certificateName)) return null;
  const byTarget = srv !== null && addressName !== null && coversName(names, addressName);
  const shown = names.slice(0, 5).join(', ') || 'no name';
  const hint = byTarget ? `: that is the target of the SRV record, which peers do not check` : '';
  return `peers check for ${certificateName}, the certificate is for ${shown}${hint}`;
}

function datesProblem({ tls: { value } }: OpenPlace, now: number): string | null {
  const leaf = value.chain[0];
  if (leaf === undefined) return null;
  if (now > leaf.notAfter) return `expired on ${day(leaf.notAfter)}`;
  if (now < leaf.notBefore) return `not valid before ${day(leaf.notBefore)}`;
  return value.chainProblem !== null && DATES.has(value.chainProblem)
    ? `a certificate of the chain is outside its dates (${value.chainProblem})`
    : null;
}

/** Certificates of six days are renewed with two left: what is soon depends on the whole. */
function expiresSoon({ tls: { value } }: OpenPlace, now: number): string | null {
  const leaf = value.chain[0];
  if (leaf === undefined || now > leaf.notAfter) return null;
  const left = leaf.notAfter - now;
  if (left > Math.min(SOON_MS, (leaf.notAfter - leaf.notBefore) / 4)) return null;
  return `expires on ${day(leaf.notAfter)}, in ${String(Math.floor(left / DAY_MS))} days`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
