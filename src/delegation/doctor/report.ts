/**
 * The evidence in the shape of the Go federation tester's `/api/report`, for what already reads that; names of the keys are
 * its. It knows only `_matrix._tcp` records; here SRVCName and SRVRecords are those of the service that peers end up with.
 */
import { coversName } from '../../base/certificate.ts';
import type { CertificateSeen } from '../outbound/dial.ts';
import type { Resolution } from '../resolve/types.ts';
import type { Evidence, PlaceSeen } from './evidence.ts';
import { readKeyDocument } from './key-document.ts';
import { isOutOfReach, openPlaces, placeName, replyProblem } from './places.ts';
import type { OpenPlace } from './places.ts';
import { versionOf } from './version.ts';

/** The checks of one connection, as the tester names them. */
interface ConnectionChecks {
  readonly AllChecksOK: boolean;
  readonly MatchingServerName: boolean;
  readonly FutureValidUntilTS: boolean;
  readonly HasEd25519Key: boolean;
  readonly AllEd25519ChecksOK: boolean;
  readonly Ed25519Checks: Readonly<Record<string, { ValidEd25519: boolean; MatchingSignature: boolean }>>;
  readonly ValidCertificates: boolean;
}

/** One connection. */
interface ConnectionReport {
  readonly Certificates: readonly object[];
  readonly Cipher: { readonly Version: string; readonly CipherSuite: string };
  readonly Checks: ConnectionChecks;
  readonly Errors: readonly { Message: string }[];
  readonly Ed25519VerifyKeys: Readonly<Record<string, string>>;
  readonly Info: object;
  readonly Keys: unknown;
}

/** The whole. */
export interface FederationReport {
  readonly Error?: string;
  readonly WellKnownResult: { readonly 'm.server': string; readonly result?: string; readonly CacheExpiresAt: number };
  readonly DNSResult: object;
  readonly ConnectionReports: Readonly<Record<string, ConnectionReport>>;
  readonly ConnectionErrors: Readonly<Record<string, { Message: string }>>;
  readonly Version: { readonly name?: string; readonly version?: string; readonly error?: string };
  readonly FederationOK: boolean;
}

/** Makes the report. */
export function federationReport(evidence: Evidence): FederationReport {
  const { resolution, places } = evidence;
  const reports = Object.fromEntries(
    openPlaces(evidence).map((place) => [placeName(place), connection(place, evidence)]),
  );
  const errors = Object.fromEntries(
    places.flatMap((place) => (place.tls.ok ? [] : [[placeName(place), { Message: place.tls.failure.message }]])),
  );
  const version = versionReport(places);
  const allDone = places.every((place) => place.tls.ok || isOutOfReach(place));
  const all = Object.values(reports);
  const ok = all.length > 0 && allDone && all.every(({ Checks }) => Checks.AllChecksOK) && version.error === undefined;
  return {
    ...(resolution.error === null ? {} : { Error: resolution.error.message }),
    WellKnownResult: wellKnown(resolution),
    DNSResult: dns(resolution),
    ConnectionReports: reports,
    ConnectionErrors: errors,
    Version: version,
    FederationOK: ok,
  };
}

function wellKnown({ wellKnown: seen }: Resolution): FederationReport['WellKnownResult'] {
  const expires = seen === null ? 0 : Math.round(seen.expiresAt / 1000);
  const mServer = seen?.mServer ?? null;
  if (mServer !== null) return { 'm.server': mServer, CacheExpiresAt: expires };
  return { 'm.server': '', result: seen?.problem ?? 'not asked for', CacheExpiresAt: expires };
}

function dns({ targets, error, step }: Resolution): object {
  const srv = targets.filter((target) => target.srv !== null);
  const byName = new Map<string, readonly string[]>();
  for (const { addressName, addresses, host } of targets) byName.set(addressName ?? host, addresses);
  const srvFailed = error !== null && ['3.3', '3.4', '4', '5'].includes(step);
  return {
    SRVSkipped: ['1', '2', '3.1', '3.2'].includes(step),
    SRVCName: srv[0]?.srv === undefined || srv[0].srv === null ? '' : `${srv[0].srv.service}.`,
    SRVRecords: srv.map((target) => ({
      Target: `${target.addressName ?? ''}.`,
      Port: target.port,
      Priority: target.srv?.priority ?? 0,
      Weight: target.srv?.weight ?? 0,
    })),
    SRVError: srvFailed ? { Message: error.message } : null,
    Hosts: Object.fromEntries([...byName].map(([name, Addrs]) => [name, { CName: `${name}.`, Addrs, Error: null }])),
    Addrs: targets.flatMap(({ addresses, port }) => addresses.map((address) => placeName({ address, port }))),
  };
}

function connection(place: OpenPlace, evidence: Evidence): ConnectionReport {
  const { tls, keys, target } = place;
  const { version, cipher, chain, chainProblem } = tls.value;
  const json = keys?.ok === true ? keys.value.json : undefined;
  const document = readKeyDocument(json);
  const announced = document?.keys ?? [];
  const errors: { Message: string }[] = [];
  const trusted = chainProblem === null && coversName(chain[0]?.names ?? [], target.certificateName);
  if (chainProblem !== null) errors.push({ Message: `certificate: ${chainProblem}` });
  else if (!trusted) errors.push({ Message: `certificate is not for ${target.certificateName}` });
  const problem = keys === null ? null : replyProblem(keys);
  if (problem !== null) errors.push({ Message: `keys: ${problem}` });
  const checks = {
    MatchingServerName: document?.serverName === evidence.name.text,
    FutureValidUntilTS: (document?.validUntil ?? 0) > evidence.now,
    HasEd25519Key: announced.length > 0,
    AllEd25519ChecksOK: announced.length > 0 && announced.every(({ wellFormed, signs }) => wellFormed && signs),
    Ed25519Checks: Object.fromEntries(
      announced.map(({ id, wellFormed, signs }) => [id, { ValidEd25519: wellFormed, MatchingSignature: signs }]),
    ),
    ValidCertificates: trusted,
  };
  const { MatchingServerName, FutureValidUntilTS, HasEd25519Key, AllEd25519ChecksOK, ValidCertificates } = checks;
  const all = MatchingServerName && FutureValidUntilTS && HasEd25519Key && AllEd25519ChecksOK && ValidCertificates;
  return {
    Certificates: chain.map(certificate),
    Cipher: { Version: version.replace(/^TLSv/, 'TLS '), CipherSuite: cipher },
    Checks: { AllChecksOK: all, ...checks },
    Errors: errors,
    Ed25519VerifyKeys: Object.fromEntries(announced.map(({ id, key }) => [id, key])),
    Info: {},
    Keys: json ?? null,
  };
}

function certificate({ subject, issuer, sha256, names }: CertificateSeen): object {
  return { SubjectCommonName: subject, IssuerCommonName: issuer, SHA256Fingerprint: sha256, DNSNames: names };
}

function versionReport(places: readonly PlaceSeen[]): FederationReport['Version'] {
  const problems: string[] = [];
  for (const { version } of places) {
    if (version === null) continue;
    const problem = replyProblem(version);
    const read = problem === null && version.ok ? versionOf(version.value.json) : null;
    if (read !== null) return read;
    problems.push(problem ?? 'no server in it');
  }
  return { error: problems[0] ?? 'no connection' };
}
