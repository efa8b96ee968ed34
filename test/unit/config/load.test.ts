/** What a parsed config looks like: units, paths, defaults. What is refused stands in test/golden/config. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig, loadConfigText } from '../../../src/config/load.ts';
import { readSecret } from '../../../src/config/secret-value.ts';
import { fakeFiles, goldenFiles } from './fake-files.ts';
import { codesOf, configOf, load } from './load-yaml.ts';

const SMALLEST = `sites:
  - server_name: example.com
    homeserver: http://127.0.0.1:8008
certificates:
  - {names: [example.com], local_ca: true}
`;

describe('the smallest config', () => {
  it('gets the defaults', async () => {
    const config = await configOf(SMALLEST);
    expect(config.listeners.map(({ address, role }) => [address.host, address.port, role])).toEqual([
      [undefined, 443, 'https'],
      [undefined, 8448, 'federation'],
      [undefined, 80, 'http'],
    ]);
    expect(config.sites[0]).toMatchObject({
      delegation: 'none',
      base_domain: 'here',
      hosts: [],
      fallback: { kind: 'status', status: 404 },
      well_known: { client: {}, max_age: 3_600_000 },
      homeserver: { kind: 'auto', url: { transport: 'tcp', host: '127.0.0.1', port: 8008, socketPath: '' } },
    });
    expect(config.metrics.listen).toEqual({ host: '127.0.0.1', port: 9464 });
    expect(config.http2).toEqual({ https: true, federation: false });
    expect(config.shutdown_timeout).toBe(30_000);
    expect(config.acme).toBeUndefined();
  });

  it('gives time-outs in milliseconds and sizes in bytes', async () => {
    const { limits } = await configOf(`${SMALLEST}limits: {classes: {sync: {max_body: 2MB}}, connect: 1500ms}\n`);
    expect(limits.connect).toBe(1500);
    expect(limits.classes.sync).toEqual({
      response_head: 90_000,
      response_idle: 120_000,
      request_idle: 30_000,
      min_request_rate: 240,
      min_response_rate: 240,
      max_body: 2_000_000,
      max_concurrent: null,
    });
    expect(limits.classes.transaction.max_body).toBeGreaterThanOrEqual(13_107_200);
  });

  it('does not share defaults between two configs', async () => {
    const [first, second] = [await configOf(SMALLEST), await configOf(SMALLEST)];
    expect(first.limits.classes).not.toBe(second.limits.classes);
  });
});

describe('paths', () => {
  it('start at the config file', async () => {
    const config = await configOf(SMALLEST);
    expect(config.store.path).toBe('/etc/portico/certs');
    expect(config.admin.socket).toBe('/etc/portico/certs/portico.sock');
  });

  it('stay where they are when they are absolute', async () => {
    const config = await configOf(`${SMALLEST}store: {path: /var/lib/portico}\nadmin: {socket: run/admin.sock}\n`);
    expect(config.store.path).toBe('/var/lib/portico');
    expect(config.admin.socket).toBe('/etc/portico/run/admin.sock');
  });

  it('are made absolute wherever the schema takes one', async () => {
    const files = fakeFiles(await goldenFiles());
    const config = await configOf(
      `sites:
  - server_name: example.com
    homeserver: {url: https://127.0.0.1:8008, ca_file: ca.pem}
    fallback: {proxy: https://127.0.0.1:8080, ca_file: ca.pem}
  - {server_name: example.net, homeserver: "http://127.0.0.1:8009", fallback: {files: www}}
certificates:
  - {names: [example.com], files: {chain: good.pem, key: good.key}}
  - {names: [example.net], local_ca: true}
acme:
  agree_to_terms: true
  ca_file: ca.pem
  eab: {kid: a, hmac_key: {file: tsig.key}}
  challenges: [dns-01]
  dns: {rfc2136: {server: 192.0.2.53, key_name: a, secret: {file: tsig.key}}}
`,
      files,
    );
    const relative = JSON.stringify(config).match(/"(?!\/)[^"]*\.(?:pem|key)"/g);
    expect(relative).toBeNull();
    expect(config.sites[1]?.fallback).toEqual({ kind: 'files', directory: '/etc/portico/www' });
  });

  it('start at baseDir when it is given', async () => {
    const result = await loadConfigText(SMALLEST, {
      file: 'portico.yaml',
      baseDir: '/srv/a',
      env: {},
      files: fakeFiles({}),
    });
    expect(result).toMatchObject({ ok: true, path: 'portico.yaml', config: { store: { path: '/srv/a/certs' } } });
  });
});

describe('loadConfig', () => {
  it('reads a file of the machine', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-config-'));
    try {
      const path = join(folder, 'portico.yaml');
      await writeFile(path, `\uFEFF${SMALLEST}`);
      const result = await loadConfig({ path, env: {} });
      expect(result).toMatchObject({ ok: true, warnings: [], config: { store: { path: join(folder, 'certs') } } });
      expect(await loadConfig({ path: folder, env: {} })).toMatchObject({
        ok: false,
        problems: [{ code: 'CONFIG_UNREADABLE' }],
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('messages', () => {
  it('never show a secret', async () => {
    const acme = (eab: string): string => `${SMALLEST}acme: {agree_to_terms: true, eab: ${eab}}\n`;
    for (const eab of [
      '{kid: a, hmac_key: [hunter2]}',
      '{kid: a, hmac_key: {value: hunter2}}',
      '{kid: a, hmac_key: {file: {a: hunter2}}}',
    ]) {
      const result = await load(acme(eab));
      expect(result.ok).toBe(false);
      expect(JSON.stringify(result)).not.toContain('hunter2');
    }
    const result = await load(SMALLEST.replace('http://127', 'http://admin:hunter2@127'));
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('do not break the line of a terminal', async () => {
    const result = await load(`${SMALLEST}log: {level: "a\\nb\\e[31m"}\n`);
    expect(result.ok).toBe(false);
    // eslint-disable-next-line no-control-regex -- control characters are what this looks for
    for (const problem of result.ok ? [] : result.problems) expect(problem.message).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe('a listener on port 0', () => {
  it('may stand next to another', async () => {
    const listeners = 'listeners: [{address: "127.0.0.1:0", role: https}, {address: "127.0.0.1:0", role: federation}]';
    expect(await codesOf(`${SMALLEST}${listeners}\nmetrics: {listen: "127.0.0.1:0"}\n`)).toEqual([]);
  });
});

describe('readSecret', () => {
  it('reads values, variables and files', async () => {
    const files = fakeFiles({ '/s': { content: 'from file\n' } });
    expect(await readSecret({ kind: 'value', value: 'plain' }, {}, files)).toBe('plain');
    expect(await readSecret({ kind: 'env', env: 'A' }, { A: 'from env' }, files)).toBe('from env');
    expect(await readSecret({ kind: 'file', file: '/s' }, {}, files)).toBe('from file');
    await expect(readSecret({ kind: 'file', file: '/t' }, {}, files)).rejects.toMatchObject({ code: 'CONFIG_SECRET' });
  });
});
