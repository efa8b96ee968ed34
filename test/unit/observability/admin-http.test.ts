import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startMetricsServer } from '../../../src/observability/admin-http.ts';
import { createHealth } from '../../../src/observability/health.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';

async function start(render?: () => Promise<string>) {
  const health = createHealth();
  const metrics = createMetrics({ processMetrics: false });
  const server = await startMetricsServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: render === undefined ? metrics : { render },
    health,
  });
  onTestFinished(() => server.close());
  const base = `http://127.0.0.1:${String(server.address.port)}`;
  return { health, metrics, server, base };
}

describe('the metrics server', () => {
  it('serves the metrics', async () => {
    const { base, metrics } = await start();
    metrics.exchangeStarted();
    const response = await fetch(`${base}/metrics?x=1`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('\nportico_requests_in_flight 1\n');
  });

  it('says whether the process is ready, and why not', async () => {
    const { base, health } = await start();
    health.setReady('listeners', false, 'draining');
    const before = await fetch(`${base}/health/ready`);
    expect([before.status, await before.text()]).toEqual([503, 'not ready\nlisteners: draining\n']);
    health.setReady('listeners', true);
    const after = await fetch(`${base}/health/ready`);
    expect([after.status, await after.text()]).toEqual([200, 'ready\n']);
  });

  it('says whether the process is alive', async () => {
    const { base, health } = await start();
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
    health.setBroken();
    expect((await fetch(`${base}/health/live`)).status).toBe(503);
  });

  it('answers HEAD without a body', async () => {
    const { base } = await start();
    const response = await fetch(`${base}/metrics`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(100);
    expect(await response.text()).toBe('');
  });

  it.for([
    ['GET', '/', 404],
    ['GET', '/metrics/', 404],
    ['GET', '/metricsx', 404],
    ['POST', '/metrics', 405],
    ['DELETE', '/health/ready', 405],
  ] as const)('%s %s is %i', async ([method, path, status]) => {
    const { base } = await start();
    const response = await fetch(base + path, { method, ...(method === 'POST' ? { body: 'x' } : {}) });
    expect(response.status).toBe(status);
    expect(response.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null);
  });

  it('answers 500 with the reason when the metrics cannot be read', async () => {
    const { base } = await start(() => Promise.reject(new Error('no luck')));
    const response = await fetch(`${base}/metrics`);
    expect([response.status, await response.text()]).toEqual([500, 'UNKNOWN: no luck\n']);
  });

  it('survives garbage', async () => {
    const { base, server } = await start();
    const socket = connect(server.address.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end('\u0016\u0003\u0001 nonsense\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
  });

  it('ends idle connections when it closes', async () => {
    const { server } = await start();
    const socket = connect(server.address.port, '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.resume();
    await server.close();
    await closed;
  });

  it('says so when the address is taken', async () => {
    const { server } = await start();
    await expect(
      startMetricsServer({
        listen: server.address,
        metrics: createMetrics({ processMetrics: false }),
        health: createHealth(),
      }),
    ).rejects.toMatchObject({ code: 'LISTEN_ADDRESS_IN_USE', fix: expect.stringContaining('metrics.listen') });
  });

  it('says so when the address is not of this machine', async () => {
    await expect(
      startMetricsServer({
        listen: { host: '192.0.2.1', port: 0 },
        metrics: createMetrics({ processMetrics: false }),
        health: createHealth(),
      }),
    ).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });
});
