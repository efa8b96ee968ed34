/** The demo's config, as a file that a newcomer can read and copy from. */

/** What the demo's config depends on. */
export interface DemoSetting {
  serverName: string;
  homeserverUrl: string;
  host: string;
  ports: { https: number; federation: number; http: number };
}

/** Where clients are sent. */
export function demoBaseUrl({ ports }: DemoSetting): string {
  return `https://localhost:${String(ports.https)}`;
}

/** The YAML text. */
export function demoConfigText(setting: DemoSetting): string {
  const { serverName, homeserverUrl, host, ports } = setting;
  return `# Written by \`portico demo\`; removed when the demo ends.
sites:
  - server_name: "${serverName}"
    homeserver: ${homeserverUrl}        # the demo homeserver; yours would be Synapse or Dendrite
    client: {base_url: "${demoBaseUrl(setting)}"}
listeners:
  - {address: "${host}:${String(ports.https)}", role: https}
  - {address: "${host}:${String(ports.federation)}", role: federation}
  - {address: "${host}:${String(ports.http)}", role: http}
certificates:
  - {names: [localhost], local_ca: true}
store: {path: store}
log: {level: warn, access: true}
metrics: {listen: "${host}:0"}
doctor: {self_check: false}           # nobody outside can reach this; yours should watch itself
`;
}
