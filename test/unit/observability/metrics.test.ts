import { describe, expect, it } from 'vitest';
import type { AccessEntry } from '../../../src/observability/access-entry.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';

const ENTRY: AccessEntry = {
  time: 0,
  site: 'example.com',
  requestClass: 'client',
  method: 'GET',
  target: '/',
  status: 200,
  outcome: 'complete',
  errorCode: null,
  bytesIn: 3,
  bytesOut: 5,
  durationMs: 20,
  upstreamMs: 7,
  upstream: 'http://127.0.0.1:8008',
  tls: 'TLSv1.3',
  protocol: 'HTTP/1.1',
  peer: '192.0.2.1',
  requestId: 'a-1',
  authorization: null,
};

function newMetrics(options = {}) {
  const metrics = createMetrics({ version: '1.2.3', processMetrics: false, ...options });
  /** The samples of a family as a map from `name{labels}` to the value. */
  const read = async (prefix: string): Promise<Record<string, number>> => {
    const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith(prefix));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  };
  return { metrics, read };
}

describe('requests', () => {
  it('are counted by class and status class', async () => {
    const { metrics, read } = newMetrics();
    metrics.requestFinished(ENTRY);
    metrics.requestFinished(ENTRY);
    metrics.requestFinished({ ...ENTRY, requestClass: 'sync', status: 504, outcome: 'timed_out' });
    metrics.requestFinished({ ...ENTRY, status: 0, outcome: 'client_gone' });
    expect(await read('portico_requests_total')).toEqual({
      'portico_requests_total{class="client",status="2xx"}': 2,
      'portico_requests_total{class="client",status="none"}': 1,
      'portico_requests_total{class="sync",status="5xx"}': 1,
    });
    expect(await read('portico_request_outcomes_total')).toEqual({
      'portico_request_outcomes_total{class="client",outcome="complete"}': 2,
      'portico_request_outcomes_total{class="client",outcome="client_gone"}': 1,
      'portico_request_outcomes_total{class="sync",outcome="timed_out"}': 1,
    });
    expect(await read('portico_response_body_bytes_total{class="client"}')).toEqual({
      'portico_response_body_bytes_total{class="client"}': 15,
    });
    expect(await read('portico_request_body_bytes_total{class="client"}')).toEqual({
      'portico_request_body_bytes_total{class="client"}': 9,
    });
  });

  it('fill cumulative buckets', async () => {
    const { metrics, read } = newMetrics();
    for (const durationMs of [0, 1, 5, 5.1, 600_000, 600_001]) metrics.requestFinished({ ...ENTRY, durationMs });
    const name = 'portico_request_duration_seconds';
    const samples = await read(name);
    const bucket = (le: string): number | undefined => samples[`${name}_bucket{class="client",le="${le}"}`];
    expect(bucket('0.001')).toBe(2);
    expect(bucket('0.0025')).toBe(2);
    expect(bucket('0.005')).toBe(3);
    expect(bucket('0.01')).toBe(4);
    expect(bucket('300')).toBe(4);
    expect(bucket('600')).toBe(5);
    expect(bucket('+Inf')).toBe(6);
    expect(samples[`${name}_count{class="client"}`]).toBe(6);
    expect(samples[`${name}_sum{class="client"}`]).toBeCloseTo(1200.0121, 6);
    expect(Object.keys(samples).filter((key) => !key.includes('class="client"'))).toEqual([]);
  });

  it('without an upstream leave its histogram alone', async () => {
    const { metrics, read } = newMetrics();
    metrics.requestFinished({ ...ENTRY, upstreamMs: null });
    expect(await read('portico_upstream_response_seconds')).toEqual({});
    metrics.requestFinished(ENTRY);
    expect(await read('portico_upstream_response_seconds_count')).toEqual({
      'portico_upstream_response_seconds_count{class="client"}': 1,
    });
  });

  it('in flight go up and down', async () => {
    const { metrics, read } = newMetrics();
    metrics.exchangeStarted();
    metrics.exchangeStarted();
    metrics.exchangeFinished();
    expect(await read('portico_requests_in_flight')).toEqual({ portico_requests_in_flight: 1 });
  });

  it('show errors, limits and truncations by name', async () => {
    const { metrics, read } = newMetrics({ limitCodes: ['BODY_TOO_LARGE', 'TOO_MANY_REQUESTS'] });
    metrics.requestFinished({ ...ENTRY, errorCode: 'UPSTREAM_UNREACHABLE' });
    metrics.limitHit('BODY_TOO_LARGE');
    metrics.limitHit('HEAD_TOO_LARGE');
    metrics.truncated('upstream');
    expect(await read('portico_request_errors_total')).toEqual({
      'portico_request_errors_total{code="UPSTREAM_UNREACHABLE"}': 1,
    });
    expect(await read('portico_limit_hits_total')).toEqual({
      'portico_limit_hits_total{code="BODY_TOO_LARGE"}': 1,
      'portico_limit_hits_total{code="TOO_MANY_REQUESTS"}': 0,
      'portico_limit_hits_total{code="HEAD_TOO_LARGE"}': 1,
    });
    expect(await read('portico_truncated_messages_total')).toEqual({
      'portico_truncated_messages_total{side="client"}': 0,
      'portico_truncated_messages_total{side="upstream"}': 1,
    });
  });
});

describe('labels are bounded', () => {
  it('for codes: 128, then other; and only names that look like one', async () => {
    const { metrics, read } = newMetrics();
    metrics.limitHit('a "quoted" {thing}\n');
    for (let at = 0; at < 1000; at++) metrics.limitHit(`CODE_${String(at)}`);
    const samples = await read('portico_limit_hits_total');
    expect(Object.keys(samples).length).toBeLessThanOrEqual(129);
    expect(Object.values(samples).reduce((sum, value) => sum + value, 0)).toBe(1001);
    expect(samples['portico_limit_hits_total{code="other"}']).toBeGreaterThan(800);
  });

  it('for upstreams: 256, then other', async () => {
    const { metrics, read } = newMetrics();
    for (let at = 0; at < 1000; at++) metrics.upstreamConnection(`http://10.0.0.1:${String(at)}`, 'opened');
    const samples = await read('portico_upstream_connections');
    expect(Object.keys(samples)).toHaveLength(257);
    expect(samples['portico_upstream_connections{upstream="other"}']).toBe(744);
  });

  it('for certificates: the 199 that expire first, and the first of the others', async () => {
    const { metrics, read } = newMetrics();
    const list = Array.from({ length: 300 }, (_, at) => ({
      name: `n${String(at)}.example`,
      notAfter: (1000 - at) * 1000,
      source: 'acme' as const,
    }));
    metrics.setCertificates(list);
    const samples = await read('portico_certificate_expiry_timestamp_seconds');
    expect(Object.keys(samples)).toHaveLength(200);
    expect(samples['portico_certificate_expiry_timestamp_seconds{name="n299.example",source="acme"}']).toBe(701);
    expect(samples['portico_certificate_expiry_timestamp_seconds{name="others",source="any"}']).toBe(900);
  });
});

describe('connections and handshakes', () => {
  it('are counted by role, version, resumption and reason', async () => {
    const { metrics, read } = newMetrics();
    metrics.connectionOpened('federation');
    metrics.connectionOpened('federation');
    metrics.connectionClosed('federation');
    for (let count = 0; count < 4; count++) metrics.handshakeStarted();
    metrics.handshakeFinished('TLSv1.3', false);
    metrics.handshakeFinished('TLSv1.3', true);
    metrics.handshakeFailed('SNI_UNKNOWN');
    expect(await read('portico_connections')).toMatchObject({
      'portico_connections{role="federation"}': 1,
      'portico_connections{role="https"}': 0,
      'portico_connections_total{role="federation"}': 2,
    });
    expect(await read('portico_tls_handshake')).toEqual({
      portico_tls_handshakes_in_progress: 1,
      'portico_tls_handshakes_total{version="TLSv1.3",resumed="false"}': 1,
      'portico_tls_handshakes_total{version="TLSv1.3",resumed="true"}': 1,
      'portico_tls_handshake_failures_total{reason="SNI_UNKNOWN"}': 1,
    });
  });
});

describe('upstreams', () => {
  it('show connections, retries and waits', async () => {
    const { metrics, read } = newMetrics();
    const id = 'unix:/run/synapse/main.sock';
    metrics.upstreamConnection(id, 'opened');
    metrics.upstreamConnection(id, 'opened');
    metrics.upstreamConnection(id, 'reused');
    metrics.upstreamConnection(id, 'closed');
    metrics.upstreamConnection(id, 'failed');
    metrics.upstreamRetried();
    metrics.upstreamWaitStarted();
    metrics.upstreamWaitStarted();
    metrics.upstreamWaitFinished(1500);
    const samples = await read('portico_upstream_');
    expect(samples).toMatchObject({
      [`portico_upstream_connections{upstream="${id}"}`]: 1,
      [`portico_upstream_connection_events_total{upstream="${id}",event="opened"}`]: 2,
      [`portico_upstream_connection_events_total{upstream="${id}",event="reused"}`]: 1,
      [`portico_upstream_connection_events_total{upstream="${id}",event="failed"}`]: 1,
      portico_upstream_retries_total: 1,
      portico_upstream_waiting: 1,
      'portico_upstream_wait_seconds_bucket{le="1"}': 0,
      'portico_upstream_wait_seconds_bucket{le="2.5"}': 1,
      portico_upstream_wait_seconds_count: 1,
      portico_upstream_wait_seconds_sum: 1.5,
    });
  });
});

describe('the control plane', () => {
  it('shows snapshots, reloads, certificates and dropped lines', async () => {
    const { metrics, read } = newMetrics();
    metrics.snapshotSwapped(7, 1_795_250_000_500);
    metrics.reloadFailed('CONFIG_INVALID');
    metrics.accessLogDropped(3);
    metrics.accessLogDropped(4);
    metrics.setCertificates([
      { name: 'example.com', notAfter: 2_000_000, source: 'files' },
      { name: 'example.com', notAfter: 1_000_000, source: 'files' },
    ]);
    expect(await read('portico_snapshot')).toEqual({
      portico_snapshot_version: 7,
      portico_snapshot_swapped_timestamp_seconds: 1_795_250_000.5,
    });
    expect(await read('portico_reload_failures_total')).toEqual({
      'portico_reload_failures_total{code="CONFIG_INVALID"}': 1,
    });
    expect(await read('portico_access_log_dropped_lines_total')).toEqual({ portico_access_log_dropped_lines_total: 7 });
    // One line a name: two with the same labels would make Prometheus refuse the whole scrape.
    expect(await read('portico_certificate')).toEqual({
      'portico_certificate_expiry_timestamp_seconds{name="example.com",source="files"}': 1000,
    });
    metrics.setCertificates([]);
    expect(await read('portico_certificate')).toEqual({});
  });

  it('says what runs, and how the process is', async () => {
    const { read } = newMetrics({ processMetrics: true });
    expect(await read('portico_build_info')).toEqual({
      [`portico_build_info{version="1.2.3",node="${process.version}"}`]: 1,
    });
    expect((await read('process_resident_memory_bytes')).process_resident_memory_bytes).toBeGreaterThan(1e6);
  });
});

it('two processes in one do not share anything', async () => {
  const one = newMetrics();
  const other = newMetrics();
  one.metrics.exchangeStarted();
  expect(await other.read('portico_requests_in_flight')).toEqual({ portico_requests_in_flight: 0 });
});
