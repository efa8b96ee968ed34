import { demoBaseUrl } from './config-text.ts';
import type { DemoSetting } from './config-text.ts';
import { DEMO_PASSWORD, DEMO_USER } from './homeserver.ts';

/**
 * Lines to paste into a shell while the demo runs; each works as it stands.
 * @param caPath - file with the local CA's certificate
 * @param metrics - where `/metrics` answers, if it does
 */
export function thingsToTry(
  setting: DemoSetting,
  caPath: string,
  metrics: { host: string; port: number } | null,
): string[] {
  const curl = `curl --cacert ${caPath}`;
  const base = demoBaseUrl(setting);
  const federation = `https://localhost:${String(setting.ports.federation)}`;
  const login = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: DEMO_USER },
    password: DEMO_PASSWORD,
  };
  const lines = [
    'Try, from another shell:',
    `  ${curl} ${base}/.well-known/matrix/client`,
    `  ${curl} ${base}/_matrix/client/versions`,
    `  ${curl} ${federation}/_matrix/key/v2/server`,
    `  TOKEN=$(${curl} -s -d '${JSON.stringify(login)}' ${base}/_matrix/client/v3/login | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`,
    `  ${curl} -H "Authorization: Bearer $TOKEN" ${base}/_matrix/client/v3/sync`,
    `  ${curl} -i ${base}/_synapse/admin/v1/users     # refused: not for the public`,
  ];
  if (metrics !== null) lines.push(`  curl http://${metrics.host}:${String(metrics.port)}/metrics`);
  return lines;
}
