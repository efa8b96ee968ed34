import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planCommand } from '../../../src/cli/plan.ts';
import { FileStore } from '../../../src/store/file-store.ts';
import { recordingTerminal } from './recording-terminal.ts';

const DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';
const SRV = `sites:
  - server_name: example.net
    delegation: srv
    base_domain: elsewhere
    hosts: [matrix.example.net]
    homeserver: http://127.0.0.1:8009
  - {server_name: example.test, homeserver: "http://127.0.0.1:8010"}
certificates:
  - {names: [example.test], local_ca: true}
  - {names: ["*.example.net"], acme: true}
acme: {agree_to_terms: true, challenges: [tls-alpn-01, http-01, dns-persist-01]}
`;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-plan-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function plan(yaml: string, json = false): Promise<{ code: number; out: string; err: string }> {
  const config = join(directory, 'portico.yaml');
  await writeFile(config, yaml);
  const terminal = recordingTerminal();
  const code = await planCommand.run({ config, json, offline: true }, terminal, []);
  return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') };
}

describe('portico plan', () => {
  it('prints names, certificates, challenges with reasons, and records', async () => {
    const { code, out } = await plan(SRV);
    expect(code).toBe(0);
    expect(out.slice(0, out.indexOf('\n\nThe outside'))).toBe(`Names and their certificates
  example.net (delegation: srv, base domain elsewhere)
    example.net: peers come by SRV and want a certificate for the server name all the same
      certificate by ACME; answered on :443, :8448
      proven by http-01, provided that: The web server of example.net redirects http://example.net/.well-known/acme-challenge/* to http://matrix.example.net/.well-known/acme-challenge/*.
      proven by dns-persist-01, provided that: The authority offers dns-persist-01, and its TXT record has been set.
      not by tls-alpn-01: The authority would connect to port 443 of the web server that example.net points to, which is not Portico, and a TLS handshake cannot be redirected. Use dns-01 (acme.dns says how records are made), or dns-persist-01 where the authority offers it.
    matrix.example.net: a further host: clients are sent there
      certificate by ACME; answered on :443, :8448
      proven by dns-persist-01, provided that: The authority offers dns-persist-01, and its TXT record has been set.
      not by tls-alpn-01: A wildcard is proven by DNS only, and tls-alpn-01 looks at one host. Use dns-01 (acme.dns says how records are made), or dns-persist-01 where the authority offers it.
      not by http-01: A wildcard is proven by DNS only, and http-01 looks at one host. Use dns-01 (acme.dns says how records are made), or dns-persist-01 where the authority offers it.
  example.test (delegation: none, base domain here)
    example.test: the server name: peers and clients ask for it
      certificate of the local CA; answered on :443, :8448

Certificates to obtain from letsencrypt
  *.example.net
  example.net`);
  });

  it('prints the TXT record once there is an account, for the wildcard too', async () => {
    const store = new FileStore(join(directory, 'certs'));
    const lock = await store.lock();
    await store.put(
      'acme/other/account.json',
      JSON.stringify({ directoryUrl: 'https://ca.test/', url: 'https://ca.test/1' }),
    );
    await store.put('acme/broken/account.json', '{');
    const account = {
      version: 1,
      directoryUrl: DIRECTORY,
      key: '-----BEGIN PRIVATE KEY-----secret',
      url: 'https://acme-v02.api.letsencrypt.org/acme/acct/1',
    };
    await store.put('acme/letsencrypt/account.json', JSON.stringify(account));
    await lock.release();
    const { out } = await plan(SRV);
    expect(out.split('\n')).toContain(
      '    _validation-persist.example.net. IN TXT "letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/1; policy=wildcard"',
    );
    expect(out).not.toContain('secret');
  });

  it('prints the same as JSON, with every section', async () => {
    const { code, out } = await plan(SRV, true);
    expect(code).toBe(0);
    const value = JSON.parse(out);
    expect(Object.keys(value)).toEqual([
      'sites',
      'certificates',
      'network',
      'dns_records',
      'ports',
      'base_domains',
      'warnings',
    ]);
    expect(value.sites[0].names[0]).toMatchObject({
      name: 'example.net',
      certificate: { source: 'acme', names: ['example.net'] },
      answered_on: [':443', ':8448'],
      challenges: { impossible: [{ type: 'tls-alpn-01' }] },
    });
    expect(value.sites[1].names[0]).toMatchObject({ certificate: { source: 'local_ca' }, challenges: null });
    expect(value.dns_records.find(({ type }: { type: string }) => type === 'TXT')).toEqual({
      server_name: 'example.net',
      name: '_validation-persist.example.net',
      type: 'TXT',
      wanted: null,
      optional: false,
      why: 'proves the name for as long as it stands (dns-persist-01)',
      state: 'not-looked-up',
      found: null,
      note: 'letsencrypt: the account URL appears after the first start; run `portico plan` again then',
    });
    expect(value.base_domains[0].documents[0]).toEqual({
      path: '/.well-known/matrix/server',
      status: 404,
      body: null,
      state: 'not-looked-at',
    });
    expect(value.ports[0]).toEqual({ port: 8448, direction: 'in', why: 'peers', listener: ':8448' });
  });

  it('leaves out what does not apply, makes no store, and refuses a config with errors', async () => {
    const { out } = await plan(
      SRV.replace(/^ {2}- \{names: \["\*.*\n/m, '').replace(/challenges: .*\]/, 'challenges: [http-01]'),
    );
    expect(out).not.toContain('TXT');
    await expect(rm(join(directory, 'certs'), { recursive: true })).rejects.toMatchObject({ code: 'ENOENT' });
    const refused = await plan('sites: []\n');
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).toContain('CONFIG_');
  });
});
