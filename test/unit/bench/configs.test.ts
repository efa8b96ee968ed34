/** The configs that contenders are given: what makes the comparison a fair one must be in them. */
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { fastBackendConfig } from '../../../bench/backends/fast.ts';
import { caddyConfig } from '../../../bench/contenders/caddy.ts';
import { haproxyConfig } from '../../../bench/contenders/haproxy.ts';
import { nginxConfig, workerPatterns } from '../../../bench/contenders/nginx.ts';
import { porticoConfig } from '../../../bench/contenders/portico.ts';
import { debianMirror, mirrorIn } from '../../../bench/setup/chroot.ts';
import { codesOf } from '../config/load-yaml.ts';

const SITE = { name: 'localhost', chain: '/t/localhost.pem', key: '/t/localhost.key', both: '/t/localhost.both' };

describe('nginx', () => {
  const setting = {
    directory: '/d',
    port: 4430,
    backendPort: 8008,
    sites: [SITE],
    patterns: ['^/a/[^/]{1,3}$'],
    log: true,
  };

  it('has the Matrix job of Synapse: 102 rules', () => {
    expect(workerPatterns()).toHaveLength(102);
    expect(new Set(workerPatterns()).size).toBe(102);
    for (const pattern of workerPatterns()) expect(pattern).not.toMatch(/["\\;]/);
  });

  it('quotes patterns, since braces end a block', () => {
    expect(nginxConfig(setting)).toContain('location ~ "^/a/[^/]{1,3}$" { proxy_pass http://homeserver; }');
  });

  it('is tuned in its favour', () => {
    const text = nginxConfig(setting);
    for (const line of ['worker_processes 1;', 'pcre_jit on;', 'keepalive 512;', 'client_body_buffer_size 128k;']) {
      expect(text).toContain(line);
    }
    expect(text).toContain('server 127.0.0.1:8008;');
    expect(text).toMatch(/access_log \/d\/access\.log json buffer=/);
  });

  it('is bare when told so', () => {
    const text = nginxConfig({ ...setting, patterns: [], log: false });
    expect(text).not.toContain('location ~');
    expect(text).toContain('access_log off;');
  });

  it('opens and closes as many blocks', () => {
    for (const text of [nginxConfig(setting), fastBackendConfig('/d', 1)]) {
      const outside = text.replace(/"[^"\n]*"|'[^'\n]*'/g, '');
      expect(outside.match(/\{/g)?.length).toBe(outside.match(/\}/g)?.length);
    }
  });

  it('gives only the first site the names that nobody has', () => {
    const text = nginxConfig({ ...setting, sites: [SITE, { ...SITE, name: 'b' }] });
    expect(text.match(/default_server/g)).toHaveLength(1);
    expect(text.match(/server_name [a-z]+;/g)).toHaveLength(2);
  });
});

describe('Portico', () => {
  const place = { directory: '/d', port: 4430, backendPort: 8008, sites: [SITE] };

  it('has its access log and its metrics on', () => {
    expect(parse(porticoConfig(place))).toMatchObject({
      log: { access: true },
      metrics: { listen: '127.0.0.1:0' },
      listeners: [{ address: '127.0.0.1:4430', role: 'https' }],
    });
  });

  it('is a config that Portico takes', async () => {
    // Without the files, which `loadConfig` would look for.
    const text = porticoConfig(place).replace(/files:\n\s+chain: .*\n\s+key: .*\n/, 'local_ca: true\n');
    expect(text).toContain('local_ca');
    expect(await codesOf(text)).toEqual([]);
  });
});

it('HAProxy has one thread and shares upstream connections', () => {
  const text = haproxyConfig({ port: 4430, backendPort: 8008, certificateList: '/d/list' });
  for (const line of ['nbthread 1', 'http-reuse always', 'crt-list /d/list alpn h2,http/1.1'])
    expect(text).toContain(line);
  expect(text).toContain('server homeserver 127.0.0.1:8008');
});

it('Caddy gets every certificate and obtains none', () => {
  const certificates = [{ certificate: '/a.pem', key: '/a.key' }];
  const config = JSON.parse(caddyConfig({ port: 4430, backendPort: 8008, certificates }));
  expect(config.apps.tls.certificates.load_files).toEqual(certificates);
  expect(config.apps.http.servers.front).toMatchObject({ automatic_https: { disable: true }, protocols: ['h1', 'h2'] });
});

describe('the Debian mirror', () => {
  it.for([
    ['deb http://deb.debian.org/debian bookworm main', 'http://deb.debian.org/debian'],
    [
      '# deb http://old/debian x\ndeb [signed-by=/k.gpg] https://m.example/debian/ trixie main',
      'https://m.example/debian',
    ],
    ['Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie', 'http://deb.debian.org/debian'],
    ['URIs: http://deb.debian.org/debian-security', null],
    ['deb https://deb.nodesource.com/node_20.x nodistro main', null],
    ['', null],
  ] as const)('of %j is %s', ([text, mirror]) => {
    expect(mirrorIn(text)).toBe(mirror);
  });

  it('is the usual one where apt has none', () => {
    expect(debianMirror('/nowhere')).toBe('http://deb.debian.org/debian');
  });
});
