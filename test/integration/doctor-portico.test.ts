/** The doctor looks at Portico itself, in each form of delegation: what Portico serves must be fine to its own doctor. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import { describe, expect } from 'vitest';
import { expectedOf } from '../../src/expected.ts';
import { loadConfigText } from '../../src/config/load.ts';
import { diagnose } from '../../src/delegation/doctor/diagnose.ts';
import { gather } from '../../src/delegation/doctor/probes/gather.ts';
import { createTrust } from '../../src/delegation/outbound/dial.ts';
import type { FakeRecord } from '../helpers/dns-server.ts';
import { homeserverStub } from '../helpers/homeserver-stub.ts';
import { startInternet } from '../helpers/internet.ts';
import { baseConfig } from '../helpers/portico.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';

const HERE = '203.0.113.1';
const A = (name: string, data = HERE): FakeRecord => ({ name, type: 'A', data });
const SRV: FakeRecord = {
  name: '_matrix-fed._tcp.example.test',
  type: 'SRV',
  data: { priority: 10, weight: 0, port: 8448, target: 'matrix.example.test' },
};
const SUPPORT = { contacts: [{ role: 'm.role.admin', email_address: 'admin@example.test' }] };

interface Form {
  readonly title: string;
  readonly name: string;
  readonly step: string;
  readonly site: Record<string, unknown>;
  readonly zone: readonly FakeRecord[];
  readonly defaultName?: string;
}

const FORMS: readonly Form[] = [
  { title: 'none', name: 'example.test', step: '6', site: { hosts: [] }, zone: [A('example.test')] },
  {
    title: 'none, with another port',
    name: 'example.test:8448',
    step: '2',
    site: { hosts: [] },
    zone: [A('example.test')],
  },
  {
    title: 'none, an IP address',
    name: HERE,
    step: '1',
    site: { hosts: [] },
    zone: [],
    defaultName: HERE,
  },
  {
    title: 'well-known with a port',
    name: 'example.test',
    step: '3.2',
    site: { delegation: 'well-known', delegated_name: 'matrix.example.test:443', hosts: [] },
    zone: [A('example.test'), A('matrix.example.test')],
    defaultName: 'matrix.example.test',
  },
  {
    title: 'well-known without a port',
    name: 'example.test',
    step: '3.5',
    site: { delegation: 'well-known', delegated_name: 'matrix.example.test', hosts: [] },
    zone: [A('example.test'), A('matrix.example.test')],
    defaultName: 'matrix.example.test',
  },
  {
    title: 'srv',
    name: 'example.test',
    step: '4',
    site: { delegation: 'srv', hosts: ['matrix.example.test'] },
    zone: [A('example.test'), A('matrix.example.test'), SRV],
  },
];

async function homeserver(stage: Stage, serverName: string): Promise<string> {
  const server = createServer(homeserverStub({ serverName }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stage.onClose(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function look(stage: Stage, form: Form, zone: readonly FakeRecord[] = form.zone) {
  const url = await homeserver(stage, form.name);
  const configure = (config: ConfigInput): void => {
    Object.assign(config.sites[0], { server_name: form.name, well_known: { support: SUPPORT } }, form.site);
    config.certificates.push({ names: [HERE], local_ca: true });
    if (form.defaultName !== undefined) config.tls = { default_name: form.defaultName };
  };
  const portico = await stage.portico({ homeserver: url, configure });
  const input = baseConfig(url, portico.storePath);
  configure(input);
  const loaded = await loadConfigText(stringify(input), { file: 'portico.yaml', env: {} });
  if (!loaded.ok) throw new Error('the config is refused');
  const [site] = loaded.config.sites;

  const net = await startInternet(zone);
  stage.onClose(() => net[Symbol.asyncDispose]());
  net.lead(`${HERE} 443`, portico.https.port);
  net.lead(`${HERE} 8448`, portico.federation.port);
  const { dns, clock, random } = net.resolve;
  const dial = { ...net.dial, trust: createTrust(portico.ca) };
  const deps = { dns, clock, random, dial, maxRequests: 100, canary: null };
  return diagnose(await gather(form.name, expectedOf(site!), deps, AbortSignal.timeout(30_000)));
}

describe('Portico to its own doctor', () => {
  test.for(FORMS)('$title', async (form, { stage }) => {
    const { findings, evidence } = await look(stage, form);
    expect(evidence.resolution.step).toBe(form.step);
    expect(findings).toEqual([]);
    expect(evidence.places.map(({ tls }) => tls.ok)).toEqual([true]);
  });

  test('srv without the record', async ({ stage }) => {
    const form = FORMS.find(({ title }) => title === 'srv')!;
    const { findings } = await look(
      stage,
      form,
      form.zone.filter(({ type }) => type !== 'SRV'),
    );
    expect(findings.map(({ code }) => code)).toEqual(['srv-record-missing']);
  });

  test('well-known while the base domain is somebody else, who has no document', async ({ stage }) => {
    const form = FORMS.find(({ title }) => title === 'well-known with a port')!;
    const elsewhere = [A('example.test', '203.0.113.9'), A('matrix.example.test')];
    const { findings } = await look(stage, form, elsewhere);
    expect(findings.slice(0, 1)).toMatchObject([{ code: 'server-document-missing' }]);
  });
});
