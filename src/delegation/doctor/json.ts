/** Diagnoses as `portico doctor --json` prints them. The keys stay; more may come. */
import { resolutionJson } from '../resolve/json.ts';
import type { Diagnosis } from './diagnose.ts';
import type { PlaceSeen } from './evidence.ts';
import { placeName } from './places.ts';
import { federationReport } from './report.ts';
import { versionOf } from './version.ts';

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
      places: evidence.places.map((place) => placeJson(place, evidence.now)),
      requests: evidence.requests,
    })),
  };
}

const DAY_MS = 86_400_000;

/** What was seen at one address, beyond what the report has a place for. */
function placeJson(place: PlaceSeen, now: number): Record<string, unknown> {
  const { tls, version, http2, tls12, withoutSni, canary } = place;
  const received = canary?.received ?? null;
  const leaf = tls.ok ? tls.value.chain[0] : undefined;
  return {
    place: placeName(place),
    error: tls.ok ? null : tls.failure,
    tls_version: tls.ok ? tls.value.version : null,
    tls12: tls12 === null ? tls.ok : tls12.ok,
    http2,
    certificate_names: leaf?.names ?? [],
    days_left: leaf === undefined ? null : Math.floor((leaf.notAfter - now) / DAY_MS),
    certificate_without_sni: withoutSni?.ok === true ? (withoutSni.value.chain[0]?.names ?? []) : null,
    server: version?.ok === true ? versionOf(version.value.json) : null,
    uri_unchanged: received === null ? null : received === canary?.sent,
  };
}
