import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AccessEntry } from '../../../src/observability/access-entry.ts';
import { AccessLog, NO_ACCESS_LOG } from '../../../src/observability/access-log.ts';
import type { AccessLogOptions } from '../../../src/observability/access-log.ts';

const ENTRY: AccessEntry = {
  time: 1795250000123,
  site: 'example.com',
  requestClass: 'transaction',
  method: 'PUT',
  target: '/_matrix/federation/v1/send/1',
  status: 200,
  outcome: 'complete',
  errorCode: null,
  bytesIn: 2048,
  bytesOut: 11,
  durationMs: 12.3456,
  upstreamMs: 11.04,
  upstream: 'http://127.0.0.1:8008',
  tls: 'TLSv1.3',
  protocol: 'HTTP/1.1',
  peer: '192.0.2.1',
  requestId: 'a-1',
  authorization: 'X-Matrix origin="peer.example",key="ed25519:1",sig="SIGNATURE"',
};

/** The origin between the first two quotes is enough here; the real parser has tests of its own. */
const originOf = (authorization: string | null): string | null => authorization?.split('"')[1] ?? null;

function logWith(options: Partial<AccessLogOptions> = {}) {
  const batches: string[] = [];
  const log = new AccessLog({ write: (batch) => batches.push(batch), originOf, ...options });
  return { log, batches };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a line', () => {
  it('has the shape of the log and every field', () => {
    const { log, batches } = logWith();
    log.record(ENTRY);
    log.flush();
    expect(batches).toEqual([
      '{"level":30,"time":1795250000123,"msg":"request","site":"example.com","class":"transaction","method":"PUT",' +
        '"path":"/_matrix/federation/v1/send/1","status":200,"outcome":"complete","error":null,"bytes_in":2048,' +
        '"bytes_out":11,"duration_ms":12.3,"upstream_ms":11,"upstream":"http://127.0.0.1:8008","tls":"TLSv1.3",' +
        '"protocol":"HTTP/1.1","peer":"192.0.2.1","request_id":"a-1","origin":"peer.example"}\n',
    ]);
  });

  it('says null for what is not known', () => {
    const { log, batches } = logWith();
    log.record({
      ...ENTRY,
      upstreamMs: null,
      upstream: null,
      tls: null,
      authorization: null,
      errorCode: 'HOST_UNKNOWN',
    });
    log.flush();
    expect(JSON.parse(batches[0] ?? '')).toMatchObject({
      error: 'HOST_UNKNOWN',
      upstream_ms: null,
      upstream: null,
      tls: null,
      origin: null,
    });
  });

  it('holds neither tokens nor signatures', () => {
    const { log, batches } = logWith();
    log.record({ ...ENTRY, target: '/_matrix/client/v3/sync?access_token=TOKEN&since=s1' });
    log.record({ ...ENTRY, authorization: 'Bearer TOKEN' });
    log.flush();
    expect(batches.join('')).not.toMatch(/TOKEN|SIGNATURE/);
    expect(batches.join('')).toContain('since=s1');
  });

  it('is JSON in printable ASCII, whatever the peer sends', () => {
    const bytes = fc.string({ unit: fc.integer({ min: 1, max: 0xff }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(bytes, fc.string({ unit: 'binary' }), (target, text) => {
        const { log, batches } = logWith({ originOf: () => text });
        log.record({ ...ENTRY, target: `/${target.replaceAll(/[?&;=%]/g, '')}`, requestId: text, errorCode: text });
        log.flush();
        const line = batches[0] ?? '';
        expect(line).toMatch(/^[\x20-\x7e]+\n$/);
        expect(JSON.parse(line)).toMatchObject({
          path: `/${target.replaceAll(/[?&;=%]/g, '')}`,
          request_id: text,
          error: text,
          origin: text,
        });
      }),
    );
  });
});

describe('batches', () => {
  it('leave together after 250 ms', () => {
    const { log, batches } = logWith();
    log.record(ENTRY);
    vi.advanceTimersByTime(249);
    log.record(ENTRY);
    expect(batches).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(batches).toHaveLength(1);
    expect(batches[0]?.match(/\n/g)).toHaveLength(2);
    vi.advanceTimersByTime(10_000);
    expect(batches).toHaveLength(1);
    log.record(ENTRY);
    vi.advanceTimersByTime(250);
    expect(batches).toHaveLength(2);
  });

  it('leave at once when they are full', () => {
    const { log, batches } = logWith({ maxBatchBytes: 1000 });
    for (let count = 0; count < 6; count++) log.record(ENTRY);
    expect(batches).toHaveLength(2);
    for (const batch of batches) expect(batch.length).toBeGreaterThanOrEqual(1000);
  });

  it('lose nothing at close, and nothing after it', () => {
    const { log, batches } = logWith();
    log.record(ENTRY);
    log.close();
    log.record(ENTRY);
    log.close();
    expect(batches).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are dropped and counted while the reader is too slow', () => {
    let pending = 0;
    const dropped: number[] = [];
    const { log, batches } = logWith({
      pendingBytes: () => pending,
      maxPendingBytes: 100,
      onDropped: (lines) => dropped.push(lines),
    });
    log.record(ENTRY);
    log.flush();
    pending = 101;
    log.record(ENTRY);
    log.record(ENTRY);
    log.flush();
    pending = 100;
    log.record(ENTRY);
    log.flush();
    expect(batches).toHaveLength(2);
    expect(dropped).toEqual([2]);
  });
});

it('does nothing when it is off', () => {
  NO_ACCESS_LOG.record(ENTRY);
  NO_ACCESS_LOG.flush();
  NO_ACCESS_LOG.close();
  expect(vi.getTimerCount()).toBe(0);
});
