/** A resolution as `--json` prints it. The keys stay; more may come. */
import type { Resolution } from './types.ts';

/** Of `portico resolve --json`. */
export function resolutionJson(resolution: Resolution): Record<string, unknown> {
  const { serverName, step, targets, delegated, wellKnown, tried, warnings, error } = resolution;
  return {
    server_name: serverName.text,
    step,
    results: targets.map(({ addresses, port, host, sni, certificateName, srv }) => ({
      addresses,
      port,
      host,
      sni,
      certificate_name: certificateName,
      srv,
    })),
    delegated_name: delegated?.text ?? null,
    well_known:
      wellKnown === null
        ? null
        : {
            outcome: wellKnown.outcome,
            m_server: wellKnown.mServer,
            problem: wellKnown.problem,
            status: wellKnown.status,
            urls: wellKnown.urls,
            expires_at: new Date(wellKnown.expiresAt).toISOString(),
          },
    tried: tried.map(({ step: at, what, result, outcome, ms }) => ({ step: at, what, result, outcome, ms })),
    warnings,
    error: error === null ? null : { code: error.code, message: error.message, fix: error.fix ?? null },
  };
}
