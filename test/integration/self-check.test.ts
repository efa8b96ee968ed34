/** The self-check of a running Portico: it looks at itself through a small Internet, canary included, and shows what it saw. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect } from 'vitest';
import { createTrust } from '../../src/delegation/outbound/dial.ts';
import type { DialSetting } from '../../src/delegation/outbound/dial.ts';
import type { DnsClient } from '../../src/dns/dns-client.ts';
import { eventually } from '../helpers/eventually.ts';
import { homeserverStub } from '../helpers/homeserver-stub.ts';
import { startInternet } from '../helpers/internet.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';

const HERE = '203.0.113.1';

/** Portico for example.test, which looks at itself as soon as its Internet knows where it is. */
async function startWatched(stage: Stage, records: readonly string[]) {
  const asked: string[] = [];
  const stub = homeserverStub({ serverName: 'example.test' });
  const homeserver = createServer((request, response) => {
    asked.push(request.url ?? '');
    stub(request, response);
  });
  homeserver.listen(0, '127.0.0.1');
  await once(homeserver, 'listening');
  stage.onClose(() => {
    homeserver.close();
    homeserver.closeAllConnections();
  });
  const net = await startInternet(records.map((name) => ({ name, type: 'A', data: HERE })));
  stage.onClose(() => net[Symbol.asyncDispose]());

  const ready = Promise.withResolvers<DialSetting['trust']>();
  let trust: DialSetting['trust'] | null = null;
  const dns: DnsClient = {
    query: async (...question) => {
      trust = await ready.promise;
      return net.resolve.dns.query(...question);
    },
  };
  const dial: DialSetting = {
    ...net.dial,
    trust: { context: (version) => (trust ?? createTrust(null)).context(version) },
  };
  const configure = (config: ConfigInput): void => {
    Object.assign(config.sites[0], { hosts: [] });
    config.sites.splice(1);
    config.certificates = [{ names: ['example.test'], local_ca: true }];
    config.doctor = {};
  };
  const portico = await stage.portico({
    homeserver: `http://127.0.0.1:${(homeserver.address() as AddressInfo).port}`,
    configure,
    watch: { network: { dns, dial }, firstMs: 1 },
  });
  net.lead(`${HERE} 443`, portico.https.port);
  net.lead(`${HERE} 8448`, portico.federation.port);
  ready.resolve(createTrust(portico.ca));
  return { portico, asked };
}

const FINDINGS = 'portico_doctor_findings';

describe('the self-check', () => {
  test('finds nothing wrong with Portico, and sends it a canary that it answers', async ({ stage }) => {
    const { portico, asked } = await startWatched(stage, ['example.test']);
    await eventually(async () => {
      expect(await portico.metric('portico_doctor_looked_timestamp_seconds', 'site="example.test"')).toBeGreaterThan(0);
    });
    for (const severity of ['error', 'warning', 'info']) {
      expect(await portico.metric(FINDINGS, 'site="example.test"', `severity="${severity}"`)).toBe(0);
    }
    const canaries = () => portico.accessLog.filter(({ path }) => String(path).startsWith('/_matrix/portico/canary/'));
    await eventually(() => {
      expect(canaries()).toMatchObject([{ status: 200, class: 'federation', upstream: null }]);
    });
    expect(asked).toContain('/_matrix/key/v2/server');
    expect(asked.filter((path) => path.includes('canary'))).toEqual([]);
    expect(portico.log.some((line) => line.includes('looked at a site from outside'))).toBe(true);
  });

  test('shows what it finds, and forgets it when the config turns it off', async ({ stage }) => {
    const { portico } = await startWatched(stage, []);
    await eventually(async () => {
      expect(await portico.metric(FINDINGS, 'site="example.test"', 'severity="error"')).toBeGreaterThan(0);
    });
    expect(portico.log.some((line) => line.includes('"finding":"name-does-not-resolve"'))).toBe(true);
    await portico.reload((config) => {
      config.doctor = { self_check: false };
    });
    expect(await portico.metric(FINDINGS, 'site="example.test"', 'severity="error"')).toBeUndefined();
  });

  test('is ended by the stop, in the middle of a look', async ({ stage }) => {
    const begun = Promise.withResolvers<undefined>();
    const hung = Promise.withResolvers<never>();
    const dns: DnsClient = {
      query: (_name, _type, { signal } = {}) => {
        begun.resolve(undefined);
        signal?.addEventListener('abort', () => hung.reject(new Error('given up')));
        return hung.promise;
      },
    };
    await using net = await startInternet([]);
    const portico = await stage.portico({
      homeserver: 'http://127.0.0.1:1',
      configure: (config) => (config.doctor = {}),
      watch: { network: { dns, dial: net.dial }, firstMs: 1 },
    });
    await begun.promise;
    await portico.app.stop(0);
    await expect(hung.promise).rejects.toThrow('given up');
    expect(portico.log.filter((line) => line.includes('self-check') || line.includes('from outside'))).toEqual([]);
  });
});
