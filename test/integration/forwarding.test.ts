/**
 * Who the client is, as the homeserver hears it: nothing a client says of itself is believed, under any spelling; trusted
 * proxies extend a chain.
 */
import { describe, expect } from 'vitest';
import { get, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';

const FORGED = [
  'X-Forwarded-For: 203.0.113.9',
  'x-forwarded-for: 203.0.113.10',
  'X-FORWARDED-FOR: 203.0.113.11',
  'X_Forwarded_For: 203.0.113.12',
  'X-Forwarded_For: 203.0.113.13',
  'X_Forwarded-For: 203.0.113.14',
  'X-Forwarded-Proto: gopher',
  'X_Forwarded_Proto: gopher',
  'X-Forwarded-Host: forged.test',
  'X_Forwarded_Host: forged.test',
  'X-Forwarded-Port: 6666',
  'X-Forwarded-Prefix: /forged',
  'X-Forwarded-Server: forged.test',
  'X-Forwarded-Ssl: forged',
  'X-Forwarded-Anything: forged',
  'X-Real-IP: 203.0.113.15',
  'X_Real_IP: 203.0.113.16',
  'X-Real_IP: 203.0.113.17',
  'Forwarded: for=203.0.113.18;host=forged.test',
  'forwarded: for=203.0.113.19',
  'X-Request-Id: forged',
  'X_Request_Id: forged',
];

describe('forwarding fields', () => {
  test('everything a client sends of the kind is dropped, and ours are set once', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(PATH, 'example.test:8443', ...FORGED));
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.text).not.toMatch(/203\.0\.113|forged|gopher|6666/);
    expect(seen?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen?.values('x-forwarded-proto')).toEqual(['https']);
    expect(seen?.values('x-forwarded-host')).toEqual(['example.test:8443']);
    expect(seen?.values('x-real-ip')).toEqual(['127.0.0.1']);
    expect(seen?.values('x-request-id')).toHaveLength(1);
    expect(seen?.values('x-request-id')[0]).toMatch(/^[\w-]{8,64}$/);
    expect(seen?.values('host')).toEqual(['example.test:8443']);
    const twins = seen?.fields.filter(([name]) => name.includes('_'));
    expect(twins).toEqual([]);
  });

  test('request ids differ, and are in the access log', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    for (let round = 0; round < 3; round += 1) {
      await client.send(get(PATH));
      await client.readResponse();
    }
    const ids = front.backend.requests.map((one) => one.values('x-request-id')[0]);
    expect(new Set(ids).size).toBe(3);
    await expect.poll(() => JSON.stringify(front.portico.accessLog), { timeout: 10_000 }).toContain(ids[2]);
    for (const id of ids) expect(JSON.stringify(front.portico.accessLog)).toContain(id);
  });

  test('the same on the federation listener', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'federation' });
    await client.send(get('/_matrix/federation/v1/version', 'example.test', ...FORGED));
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.text).not.toMatch(/203\.0\.113|forged|gopher|6666/);
    expect(seen?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  test('a trusted proxy extends the chain; what stands left of the first stranger is not believed', async ({
    stage,
  }) => {
    const front = await stage.front(undefined, (config) => {
      config.trusted_proxies = ['127.0.0.0/8', '198.51.100.0/24'];
    });
    const client = await front.connect();
    await client.send(
      get(PATH, 'example.test', 'X-Forwarded-For: 203.0.113.1, 192.0.2.7, 198.51.100.3', 'X-Forwarded-Proto: https'),
    );
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.values('x-real-ip')).toEqual(['192.0.2.7']);
    const [chain = ''] = seen?.values('x-forwarded-for') ?? [];
    // Synapse takes the leftmost entry as the client: it must be the address that was established, not one that was claimed.
    expect(chain.split(',')[0]?.trim()).toBe('192.0.2.7');
    expect(chain).not.toContain('203.0.113.1');
    expect(seen?.values('x-forwarded-for')).toHaveLength(1);
  });

  test('a trusted proxy that sends nonsense is taken as the client itself', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.trusted_proxies = ['127.0.0.0/8'];
    });
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', 'X-Forwarded-For: <script>, unknown'));
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.text).not.toContain('script');
    expect(seen?.values('x-real-ip')).toEqual(['127.0.0.1']);
  });

  test('an IPv4 client of a dual-stack listener is written as IPv4', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.listeners[0] = { address: '[::]:0', role: 'https' };
    });
    const client = await front.connect({ host: '127.0.0.1' });
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen?.values('x-real-ip')).toEqual(['127.0.0.1']);
  });

  test('an IPv6 client is written without brackets', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.listeners[0] = { address: '[::1]:0', role: 'https' };
    });
    const client = await front.connect({ host: '::1' });
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.values('x-forwarded-for')).toEqual(['::1']);
  });

  test('the peer in the access log is the established client', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', 'X-Forwarded-For: 203.0.113.9'));
    await client.readResponse();
    await expect.poll(() => front.portico.accessLog.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(JSON.stringify(front.portico.accessLog)).toContain('127.0.0.1');
    expect(JSON.stringify(front.portico.accessLog)).not.toContain('203.0.113.9');
  });
});
