/** From evidence to findings. Pure. */
import { CHECKS } from './checks/index.ts';
import type { Evidence } from './evidence.ts';
import { byHarm } from './finding.ts';
import type { Finding } from './finding.ts';

/** What the doctor says of one server name. */
export interface Diagnosis {
  readonly serverName: string;
  /** No finding is an error. */
  readonly ok: boolean;
  /** The most harmful first; a cause before what follows from it. */
  readonly findings: readonly Finding[];
  readonly evidence: Evidence;
}

/** Judges. */
export function diagnose(evidence: Evidence): Diagnosis {
  const findings = byHarm(CHECKS.flatMap((check) => check.judge(evidence)));
  const ok = findings.every(({ severity }) => severity !== 'error');
  return { serverName: evidence.name.text, ok, findings, evidence };
}
