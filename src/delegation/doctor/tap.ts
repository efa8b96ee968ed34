/** Diagnoses as TAP (Test Anything Protocol, version 13), with the nine cases of the Rust federation tester. */
import { coversName } from '../../base/certificate.ts';
import type { Diagnosis } from './diagnose.ts';
import type { Evidence } from './evidence.ts';
import type { FindingCode } from './catalogue.ts';
import { openPlaces, replyProblem } from './places.ts';
import { federationReport } from './report.ts';

type Verdict = boolean | { readonly skip: string };

interface Case {
  readonly name: string;
  readonly judge: (evidence: Evidence, codes: ReadonlySet<FindingCode>) => Verdict;
}

/** Without a document there is nothing to be reached, valid or consistent: most servers that federate have none. */
const NO_DOCUMENT = { skip: 'no well-known document' };

const CASES: readonly Case[] = [
  {
    name: 'well_known_reachable',
    judge: ({ resolution: { wellKnown } }) =>
      wellKnown === null || ['absent', 'unreachable'].includes(wellKnown.outcome) ? NO_DOCUMENT : true,
  },
  {
    name: 'well_known_valid',
    judge: ({ resolution: { wellKnown } }) =>
      wellKnown === null || ['absent', 'unreachable'].includes(wellKnown.outcome)
        ? NO_DOCUMENT
        : wellKnown.outcome === 'valid',
  },
  {
    name: 'well_known_consistent',
    judge: ({ resolution: { wellKnown } }, codes) =>
      wellKnown?.outcome === 'valid' || codes.has('server-document-differs')
        ? !codes.has('server-document-differs')
        : NO_DOCUMENT,
  },
  { name: 'srv_or_dns_resolves', judge: ({ resolution }) => resolution.error === null },
  {
    name: 'tls_valid',
    judge: (evidence) =>
      all(openPlaces(evidence), ({ tls: { value }, target }) => {
        return value.chainProblem === null && coversName(value.chain[0]?.names ?? [], target.certificateName);
      }),
  },
  {
    name: 'version_reachable',
    judge: (evidence) => all(openPlaces(evidence), ({ version }) => version !== null && replyProblem(version) === null),
  },
  {
    name: 'keys_reachable',
    judge: (evidence) => all(openPlaces(evidence), ({ keys }) => keys !== null && replyProblem(keys) === null),
  },
  {
    name: 'keys_valid_ed25519',
    judge: (evidence) => {
      const reports = Object.values(federationReport(evidence).ConnectionReports);
      return all(reports, ({ Checks }) => Checks.AllEd25519ChecksOK && Checks.FutureValidUntilTS);
    },
  },
  { name: 'federation_ok', judge: (evidence) => federationReport(evidence).FederationOK },
];

/** The lines. With more than one name each case says which. */
export function tapLines(diagnoses: readonly Diagnosis[]): string[] {
  const lines = ['TAP version 13', `1..${String(CASES.length * diagnoses.length)}`];
  for (const [index, { serverName, evidence, findings }] of diagnoses.entries()) {
    const codes = new Set(findings.map(({ code }) => code));
    for (const [place, { name, judge }] of CASES.entries()) {
      const number = String(index * CASES.length + place + 1);
      const title = diagnoses.length === 1 ? name : `${name} ${serverName}`;
      const verdict = judge(evidence, codes);
      if (typeof verdict === 'object') lines.push(`ok ${number} - ${title} # SKIP ${verdict.skip}`);
      else lines.push(`${verdict ? 'ok' : 'not ok'} ${number} - ${title}`);
    }
    for (const { severity, code, seen } of findings) lines.push(`# ${severity} ${code}: ${seen.replaceAll('\n', ' ')}`);
  }
  return lines;
}

/** True when there is at least one and all pass. */
function all<T>(items: readonly T[], passes: (item: T) => boolean): boolean {
  return items.length > 0 && items.every(passes);
}
