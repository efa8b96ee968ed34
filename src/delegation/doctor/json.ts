/** Diagnoses as `portico doctor --json` prints them. The keys stay; more may come. */
import { resolutionJson } from '../resolve/json.ts';
import type { Diagnosis } from './diagnose.ts';
import { federationReport } from './report.ts';

/** `{ok, servers: [{server_name, ok, findings, report, …}]}` */
export function doctorJson(diagnoses: readonly Diagnosis[]): Record<string, unknown> {
  return {
    ok: diagnoses.every(({ ok }) => ok),
    servers: diagnoses.map(({ serverName, ok, findings, evidence }) => ({
      server_name: serverName,
      ok,
      findings,
      report: federationReport(evidence),
      resolution: resolutionJson(evidence.resolution),
      requests: evidence.requests,
    })),
  };
}
