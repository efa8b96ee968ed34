import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestClass } from '../../../src/base/request-class.ts';
import { REFUSALS } from '../../../src/policy/refusals.ts';
import { ExchangeBench, relay, type Upstream } from './exchange-bench.ts';

const GET = 'GET /_matrix/a HTTP/1.1\r\nHost: example.com\r\n\r\n';
const HEAD = GET.replace('GET', 'HEAD');
const PUT = (length: number, more = ''): string =>
  `PUT /_matrix/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: ${String(length)}\r\n${more}\r\n`;
const CHUNKED = 'PUT /_matrix/a HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n';
const EXPECT = PUT(5, 'Expect: 100-continue\r\n');
const OWN =
  'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: example.com\r\n' +
  'X-Real-IP: 192.0.2.1\r\nX-Request-Id: id-1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** The exchange is over, and told so once. */
function expectAccounted(bench: ExchangeBench): void {
  expect(bench.entries).toHaveLength(1);
  expect(bench.metrics.filter((call) => call === 'started')).toHaveLength(1);
  expect(bench.metrics.filter((call) => call === 'finished')).toHaveLength(1);
  const [entry] = bench.entries;
  expect(bench.metrics.filter((call) => call === (entry?.errorCode ?? entry?.outcome))).toHaveLength(1);
  expect(bench.counts).toEqual({ address: 0, class: 0 });
}

/** Ended with a refusal of Portico's own. */
function expectRefused(bench: ExchangeBench, code: keyof typeof REFUSALS, upstream?: Upstream): void {
  const { status, errcode } = REFUSALS[code];
  expect(bench.front.heads.map((head) => head.status)).toEqual([status]);
  expect(JSON.parse(bench.front.body)).toMatchObject({ errcode });
  expect(bench.front.endings).toEqual(['end']);
  expect(bench.entries[0]).toMatchObject({ status, outcome: 'refused', errorCode: code });
  expect(bench.metrics).toContain(`limit ${code}`);
  if (upstream !== undefined) expect(upstream.socket.destroyed).toBe(true);
  expectAccounted(bench);
}

/** Broken off within the response. */
function expectBrokenOff(bench: ExchangeBench, code: string, outcome: string): void {
  expect(bench.front.heads).toHaveLength(1);
  expect(bench.front.endings).toEqual(['abort']);
  expect(bench.entries[0]).toMatchObject({ status: 200, outcome, errorCode: code });
  expectAccounted(bench);
}

describe('Exchange: relaying', () => {
  it('sends a request on a new connection, and its response back', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    bench.now += 3;
    const upstream = bench.connected();
    expect(upstream.received()).toBe(`GET /_matrix/a HTTP/1.1\r\nHost: example.com\r\n${OWN}`);
    bench.now += 20;
    upstream.answer(OK);
    expect(bench.front).toMatchObject({ heads: [{ status: 200, close: false }], body: 'hello', endings: ['end'] });
    expect(bench.entries[0]).toEqual({
      time: 1_700_000_050_000,
      site: 'example.com',
      requestClass: 'client',
      method: 'GET',
      target: '/_matrix/a',
      status: 200,
      outcome: 'complete',
      errorCode: null,
      bytesIn: 0,
      bytesOut: 5,
      durationMs: 23,
      upstreamMs: 20,
      upstream: 'hs',
      tls: 'TLSv1.3',
      protocol: 'HTTP/1.1',
      peer: '192.0.2.1',
      requestId: 'id-1',
      authorization: null,
    });
    expectAccounted(bench);
    expect(bench.pool.take()).toBe(upstream.connection);
  });

  it('uses an idle connection when there is one', () => {
    const bench = new ExchangeBench();
    const upstream = bench.used();
    bench.start(GET);
    expect(upstream.received()).toMatch(/^GET \/_matrix\/a /);
    expect(bench.dials).toBe(0);
  });

  it('sends a body as it comes, with the length that was told', () => {
    const bench = new ExchangeBench();
    const upstream = bench.used();
    const exchange = bench.start(PUT(5));
    expect(upstream.received()).toMatch(/\r\nContent-Length: 5\r\n/);
    bench.data('he');
    expect(upstream.received()).toBe('he');
    bench.data('llo');
    exchange.requestEnd();
    expect(upstream.received()).toBe('llo');
    upstream.answer(OK);
    expect(bench.entries[0]).toMatchObject({ bytesIn: 5, outcome: 'complete' });
    expect(bench.pool.take()).toBe(upstream.connection);
  });

  it('gives a body of unknown length its own chunks', () => {
    const bench = new ExchangeBench();
    const upstream = bench.used();
    const exchange = bench.start(CHUNKED);
    bench.data('hello');
    bench.data('x'.repeat(20));
    exchange.requestEnd();
    const text = upstream.received();
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(`5\r\nhello\r\n14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`);
    expect(text).toMatch(/\r\nTransfer-Encoding: chunked\r\n/);
  });

  it('keeps body bytes until there is a connection, and stops the client meanwhile', () => {
    const bench = new ExchangeBench();
    const exchange = bench.start(PUT(5));
    bench.data('hel');
    expect(bench.front.pace).toEqual(['pause']);
    const upstream = bench.connected();
    expect(bench.front.pace).toEqual(['pause', 'resume']);
    expect(upstream.received()).toMatch(/\r\n\r\nhel$/);
    bench.data('lo');
    exchange.requestEnd();
    upstream.answer(OK);
    expect(bench.entries[0]).toMatchObject({ bytesIn: 5, outcome: 'complete' });
  });

  it('sends a request whose body was complete before there was a connection', () => {
    for (const text of [PUT(5), CHUNKED]) {
      const bench = new ExchangeBench();
      const exchange = bench.start(text);
      bench.data('hello');
      exchange.requestEnd();
      const upstream = bench.connected();
      expect(upstream.received()).toMatch(text === CHUNKED ? /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/ : /\r\n\r\nhello$/);
      upstream.answer(OK);
      expect(bench.front.endings).toEqual(['end']);
      expect(bench.pool.take()).toBe(upstream.connection);
    }
  });

  it('delivers an answer that comes before the end of the request, and ends both connections', () => {
    const bench = new ExchangeBench();
    bench.start(PUT(10));
    const upstream = bench.connected();
    bench.data('hello');
    upstream.answer(OK);
    expect(bench.front).toMatchObject({ heads: [{ status: 200, close: true }], endings: ['end'] });
    expect(upstream.socket.destroyed).toBe(true);
    bench.data('hello');
    bench.exchange.requestEnd();
    expectAccounted(bench);
  });

  it('passes interim responses on, but none to HTTP/1.0', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    bench.connected().answer(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect(bench.front.informational).toEqual([103]);
    const old = new ExchangeBench();
    old.front.protocol = 'HTTP/1.0';
    old.start(GET);
    old.connected().answer(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect(old.front).toMatchObject({ informational: [], body: 'hello' });
  });

  it('believes a trusted proxy about the client, and counts and logs that address', () => {
    const bench = new ExchangeBench({ trustedProxies: ['192.0.2.0/24'] });
    bench.start('GET /_matrix/a HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n\r\n');
    const upstream = bench.connected();
    expect(upstream.received()).toContain('X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n');
    upstream.answer(OK);
    expect(bench.entries[0]?.peer).toBe('203.0.113.9');
  });
});

describe('Exchange: answers of its own', () => {
  it('gives what the router says, without an upstream', () => {
    const answer = { status: 200, fields: ['Content-Type', 'application/json'], body: '{"a":1}' };
    const route = { kind: 'answer', site: 'example.com', requestClass: 'discovery', rule: 'test', answer } as const;
    const bench = new ExchangeBench({ route });
    bench.start(GET);
    expect(bench.front).toMatchObject({ heads: [{ status: 200, close: false }], body: '{"a":1}', endings: ['end'] });
    expect(bench.entries[0]).toMatchObject({ outcome: 'complete', errorCode: null, bytesOut: 7, upstream: null, upstreamMs: null });
    expect(bench.dials).toBe(0);
    expectAccounted(bench);

    const head = new ExchangeBench({ route });
    head.start(HEAD);
    expect(head.front).toMatchObject({ heads: [{ status: 200, close: false }], body: '', endings: ['end'] });
    expect(head.entries[0]).toMatchObject({ bytesOut: 0 });
  }); // prettier-ignore

  it('refuses what the router refuses, and closes when a body is still to come', () => {
    const base = { kind: 'refuse', site: '-', requestClass: 'client', rule: 'test', matrix: true } as const;
    const route = { ...base, refusal: REFUSALS.PATH_CLOSED };
    const bench = new ExchangeBench({ route });
    bench.start(GET);
    expectRefused(bench, 'PATH_CLOSED');
    expect(bench.front.heads[0]?.close).toBe(false);
    const body = new ExchangeBench({ route });
    body.start(PUT(5));
    expect(body.front.heads[0]?.close).toBe(true);
    const framing = new ExchangeBench({ route: { ...base, refusal: REFUSALS.TARGET_INVALID } });
    framing.start(GET);
    expect(framing.front.heads[0]?.close).toBe(true);
  });

  it('refuses beyond the caps, and counts nothing then', () => {
    const address = new ExchangeBench({ addressFull: true });
    address.start(GET);
    expectRefused(address, 'REQUESTS_PER_ADDRESS');
    const classes = new ExchangeBench({ classFull: true });
    classes.start(GET);
    expectRefused(classes, 'CLASS_CONCURRENCY');
    expect(address.dials + classes.dials).toBe(0);
  });

  it('holds an address and a class while it runs', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    expect(bench.counts).toEqual({ address: 1, class: 1 });
    bench.connected().answer(OK);
    expect(bench.counts).toEqual({ address: 0, class: 0 });
  });

  it('refuses a body by its length before anything goes upstream', () => {
    const bench = new ExchangeBench({ route: relay({}, { maxBodyBytes: 10 }) });
    bench.start(PUT(11));
    expect(bench.dials).toBe(0);
    expectRefused(bench, 'BODY_TOO_LARGE');
    const fits = new ExchangeBench({ route: relay({}, { maxBodyBytes: 10 }) });
    fits.start(PUT(10));
    expect(fits.dials).toBe(1);
  });

  it('refuses a body by its count, and breaks the request upstream', () => {
    const bench = new ExchangeBench({ route: relay({}, { maxBodyBytes: 10 }) });
    bench.start(CHUNKED);
    const upstream = bench.connected();
    bench.data('x'.repeat(10));
    expect(bench.front.heads).toEqual([]);
    bench.data('x');
    expectRefused(bench, 'BODY_TOO_LARGE', upstream);
    expect(upstream.received()).not.toContain('0\r\n\r\n');
    // What still comes is counted by nobody and goes nowhere.
    bench.data('more');
    bench.exchange.requestEnd();
    expectAccounted(bench);
  });

  it('refuses a body that breaks its framing', () => {
    const bench = new ExchangeBench();
    bench.start(CHUNKED);
    const upstream = bench.connected();
    bench.data('hello');
    bench.exchange.requestBroken();
    expectRefused(bench, 'BAD_BODY', upstream);
    expect(bench.front.heads[0]?.close).toBe(true);
  });
});

describe('Exchange: when the upstream fails', () => {
  it.for<[code: string, expected: 'UPSTREAM_UNREACHABLE' | 'UPSTREAM_TIMEOUT']>([
    ['ECONNREFUSED', 'UPSTREAM_UNREACHABLE'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UPSTREAM_UNREACHABLE'],
    ['UPSTREAM_CONNECT_TIMEOUT', 'UPSTREAM_TIMEOUT'],
  ])('no connection, %s: %s', ([code, expected]) => {
    const bench = new ExchangeBench();
    bench.start(GET);
    bench.refused(Object.assign(new Error('why'), { code }));
    expectRefused(bench, expected);
    expect(bench.problems).toEqual(['hs: why']);
    expect(bench.front.body).not.toContain('why');
  });

  it.for<[text: string, expected: 'UPSTREAM_UNREACHABLE' | 'UPSTREAM_INVALID']>([
    ['', 'UPSTREAM_UNREACHABLE'],
    ['HTTP/1.1 200', 'UPSTREAM_UNREACHABLE'],
    ['SSH-2.0\r\n\r\n', 'UPSTREAM_INVALID'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'UPSTREAM_INVALID'],
  ])('before the response, after %j: %s', ([text, expected]) => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    if (text !== '') upstream.answer(text);
    upstream.close();
    expectRefused(bench, expected, upstream);
    expect(bench.dials).toBe(0);
  });

  it('within the response: broken off, so that it cannot look complete', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    upstream.answer(OK.slice(0, -1));
    upstream.close();
    expectBrokenOff(bench, 'UPSTREAM_CLOSED', 'upstream_gone');
    expect(bench.metrics).toContain('truncated by upstream');
    expect(bench.entries[0]?.bytesOut).toBe(4);
  });

  it('within chunks that are broken: broken off', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    bench.connected().answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX');
    expectBrokenOff(bench, 'UPSTREAM_INVALID', 'upstream_gone');
  });

  it('a response until the end of the connection is complete with its end', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    upstream.answer('HTTP/1.1 200 OK\r\n\r\nhello');
    upstream.close();
    expect(bench.front).toMatchObject({ body: 'hello', endings: ['end'] });
    expectAccounted(bench);
  });
});

describe('Exchange: the one retry (RFC 9110 §9.2.2)', () => {
  const request = (method: string): string => GET.replace('GET', method);

  it.for(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('%s goes again on a fresh connection', (method) => {
    const bench = new ExchangeBench();
    const stale = bench.used();
    bench.start(request(method));
    const first = stale.received();
    stale.close();
    expect(bench.front.heads).toEqual([]);
    const fresh = bench.connected();
    expect(fresh.received()).toBe(first);
    fresh.answer(method === 'HEAD' ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' : OK);
    expect(bench.front).toMatchObject({ heads: [{ status: 200, close: false }], endings: ['end'] });
    expect(bench.metrics).toContain('retried');
    expectAccounted(bench);
    expect(bench.pool.take()).toBe(fresh.connection);
  });

  it('never takes another used connection', () => {
    const bench = new ExchangeBench();
    const stale = bench.used();
    // A second idle connection, as stale as the first.
    const taken = bench.pool.take();
    const other = bench.used();
    taken?.start(other.connection as never, 'GET', false);
    taken?.requestSent();
    stale.connection.destroy();
    bench.start(GET);
    other.close();
    expect(bench.dials).toBe(1);
  });

  it.for<[what: string, act: (bench: ExchangeBench, stale: Upstream) => void]>([
    ['POST', (bench, stale) => { bench.start(request('POST')); stale.close(); }],
    ['PATCH', (bench, stale) => { bench.start(request('PATCH')); stale.close(); }],
    ['a request with a body', (bench, stale) => { bench.start(PUT(5)); bench.data('hello'); bench.exchange.requestEnd(); stale.close(); }],
    ['a request with a body that has not begun', (bench, stale) => { bench.start(PUT(5)); stale.close(); }],
    ['one that was answered with a byte', (bench, stale) => { bench.start(GET); stale.answer('H'); stale.close(); }],
    ['one that had an interim answer', (bench, stale) => { bench.start(GET); stale.answer('HTTP/1.1 103 Early Hints\r\n\r\n'); stale.close(); }],
  ])('not for %s', ([, act]) => {
    const bench = new ExchangeBench();
    act(bench, bench.used());
    expect(bench.dials).toBe(0);
    expectRefused(bench, 'UPSTREAM_UNREACHABLE');
    expect(bench.metrics).not.toContain('retried');
  }); // prettier-ignore

  it('not on a connection of its own, and not twice', () => {
    const bench = new ExchangeBench();
    const stale = bench.used();
    bench.start(GET);
    stale.close();
    bench.connected().close();
    expect(bench.dials).toBe(0);
    expectRefused(bench, 'UPSTREAM_UNREACHABLE');
  });

  it('not for an answer that breaks the grammar', () => {
    const bench = new ExchangeBench();
    const stale = bench.used();
    bench.start(GET);
    stale.answer('nonsense\r\n\r\n');
    expectRefused(bench, 'UPSTREAM_INVALID');
  });

  it('ends with the refusal of the second attempt', () => {
    const bench = new ExchangeBench();
    const stale = bench.used();
    bench.start(GET);
    stale.close();
    bench.refused(Object.assign(new Error('why'), { code: 'ECONNREFUSED' }));
    expectRefused(bench, 'UPSTREAM_UNREACHABLE');
  });

  it('has its own time to wait for the connection', () => {
    // A long poll whose homeserver restarts half a minute later has not used up the queue's time.
    const bench = new ExchangeBench({ queueMs: 5000 });
    const stale = bench.used();
    bench.start(GET);
    bench.pass(30_000);
    stale.close();
    bench.pass(4000);
    expect(bench.front.heads).toEqual([]);
    bench.connected().answer(OK);
    expect(bench.front.body).toBe('hello');
  });

  it('is given up with the request: nobody connects for it any more', () => {
    // Else the homeserver acts on a request whose client was refused, and its answer would follow the refusal.
    for (const how of ['queue', 'client'] as const) {
      const bench = new ExchangeBench({ queueMs: 5000 });
      const stale = bench.used();
      bench.start(GET);
      stale.close();
      if (how === 'queue') bench.pass(5250);
      else bench.exchange.clientGone();
      expect(bench.entries).toHaveLength(1);
      expect(bench.dials).toBe(0);
      expect(bench.front.heads).toHaveLength(how === 'queue' ? 1 : 0);
      expectAccounted(bench);
    }
  });
});

describe('Exchange: when the client goes', () => {
  it('breaks the upstream connection, so that a request cannot look complete', () => {
    const bench = new ExchangeBench();
    bench.start(PUT(5));
    const upstream = bench.connected();
    bench.data('hell');
    bench.exchange.clientGone();
    expect(upstream.socket.destroyed).toBe(true);
    expect(bench.entries[0]).toMatchObject({ status: 0, outcome: 'client_gone', errorCode: null, bytesIn: 4 });
    expect(bench.metrics).toContain('truncated by client');
    expect(bench.front).toMatchObject({ heads: [], endings: [] });
    expectAccounted(bench);
  });

  it('within the response', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    upstream.answer(OK.slice(0, -2));
    bench.exchange.clientGone();
    expect(upstream.socket.destroyed).toBe(true);
    expect(bench.entries[0]).toMatchObject({ status: 200, outcome: 'client_gone', bytesOut: 3 });
    expect(bench.metrics).toContain('truncated by client');
  });

  it('while it waits for an answer: nothing is truncated', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    bench.exchange.clientGone();
    expect(upstream.socket.destroyed).toBe(true);
    expect(bench.metrics.filter((call) => call.startsWith('truncated'))).toEqual([]);
    expectAccounted(bench);
  });

  it('while it waits for a connection: the place is given back', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    bench.exchange.clientGone();
    expect(bench.pool.waiting).toBe(0);
    const upstream = bench.connected();
    expect(upstream.received()).toBe('');
    expectAccounted(bench);
  });

  it('after the end: nothing happens', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    upstream.answer(OK);
    bench.exchange.clientGone();
    bench.exchange.requestBroken();
    bench.exchange.clientEnded();
    bench.pass(1_000_000);
    expect(upstream.socket.destroyed).toBe(false);
    expect(bench.front.endings).toEqual(['end']);
    expectAccounted(bench);
  });
});

describe('Exchange: time', () => {
  const SYNC = (query: string): string => GET.replace('/_matrix/a', `/_matrix/client/v3/sync${query}`);

  it.for<[what: string, requestClass: RequestClass, text: string, patienceMs: number]>([
    ['the class', 'client', GET, 60_000],
    ['the class, whatever the query says', 'client', SYNC('?timeout=120000&since=a'), 60_000],
    ['a sync: what it asked for and a minute', 'sync', SYNC('?since=a&timeout=120000'), 180_000],
    ['a sync that asks for little: a minute', 'sync', SYNC('?timeout=30000&since=a'), 90_000],
    ['a sync that asks for nothing', 'sync', SYNC('?since=a'), 60_000],
    ['a first sync: as long as a join', 'sync', SYNC('?timeout=0'), 600_000],
    ['a first sync without a query', 'sync', SYNC(''), 600_000],
    ['a first sync of events', 'sync', SYNC('?from=a'), 60_000],
    ['a sliding sync', 'sync', SYNC('?pos=a&timeout=1'), 60_001],
    ['a time-out that is no number', 'sync', SYNC('?since=a&timeout=1e9'), 60_000],
    ['a time-out of another name', 'sync', SYNC('?since=a&xtimeout=120000'), 60_000],
  ])('waits for the response head: %s', ([, requestClass, text, patienceMs]) => {
    const bench = new ExchangeBench({ route: relay({ requestClass }) });
    bench.start(text);
    const upstream = bench.connected();
    bench.pass(patienceMs);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'UPSTREAM_TIMEOUT', upstream);
  });

  it('counts that time from the end of the request', () => {
    const bench = new ExchangeBench({ route: relay({}, { responseHeadMs: 2000 }) });
    const exchange = bench.start(PUT(2000, ''), { bodyLength: 900 });
    const upstream = bench.connected();
    for (let second = 0; second < 9; second++) {
      bench.data('x'.repeat(100));
      bench.pass(1000);
    }
    exchange.requestEnd();
    bench.pass(2000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'UPSTREAM_TIMEOUT', upstream);
  });

  it('counts silence within the response, and starts anew with every byte', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    upstream.answer(OK.slice(0, -2));
    bench.pass(20_000);
    upstream.answer('l');
    bench.pass(20_000);
    expect(bench.front.endings).toEqual([]);
    bench.pass(250);
    expectBrokenOff(bench, 'UPSTREAM_TIMEOUT', 'timed_out');
    expect(upstream.socket.destroyed).toBe(true);
  });

  it('counts silence within the request', () => {
    const bench = new ExchangeBench({ route: relay({}, { minRequestRate: 0 }) });
    bench.start(PUT(10));
    const upstream = bench.connected();
    bench.pass(15_000);
    bench.data('x');
    bench.pass(15_000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'REQUEST_TIMEOUT', upstream);
    expect(bench.front.heads[0]?.close).toBe(true);
  });

  it('lets nobody send more slowly than the least rate, judged after 10 s', () => {
    const slow = new ExchangeBench();
    slow.start(PUT(1000));
    const upstream = slow.connected();
    for (let second = 0; second < 10; second++) {
      slow.data('x'.repeat(90));
      slow.pass(1000);
    }
    expect(slow.front.heads).toEqual([]);
    slow.pass(250);
    expectRefused(slow, 'REQUEST_TIMEOUT', upstream);

    const fair = new ExchangeBench({ route: relay({}, { maxBodyBytes: 1e6 }) });
    fair.start(PUT(100_000));
    fair.connected();
    for (let second = 0; second < 60; second++) {
      fair.data('x'.repeat(101));
      fair.pass(1000);
    }
    expect(fair.front.heads).toEqual([]);
  });

  it('does not hold against the client what the upstream takes', () => {
    const bench = new ExchangeBench({ route: relay({}, { responseIdleMs: 1e6 }) });
    bench.start(PUT(1000));
    const upstream = bench.connected();
    upstream.socket.takes = false;
    bench.data('x');
    bench.pass(60_000);
    upstream.socket.takes = true;
    upstream.socket.emit('drain');
    bench.pass(9000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(1500);
    expectRefused(bench, 'REQUEST_TIMEOUT', upstream);
  });

  it('does not hold against the client what the queue takes', () => {
    // It was told to wait for 100 Continue, and could not send a byte.
    const bench = new ExchangeBench({ queueMs: 30_000 });
    const exchange = bench.start(EXPECT);
    bench.pass(20_000);
    const upstream = bench.connected();
    bench.pass(2000);
    expect(bench.front.heads).toEqual([]);
    expect(bench.front.informational).toEqual([100]);
    bench.data('hello');
    exchange.requestEnd();
    upstream.answer(OK);
    expect(bench.front.body).toBe('hello');
  });

  it('gives up on an upstream that takes no more of a request', () => {
    const bench = new ExchangeBench();
    bench.start(PUT(1000));
    const upstream = bench.connected();
    upstream.socket.takes = false;
    bench.data('x');
    bench.pass(20_000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'UPSTREAM_TIMEOUT', upstream);
  });

  it('counts the wait for the response head from when the upstream has taken the request', () => {
    const bench = new ExchangeBench({ route: relay({}, { responseHeadMs: 5000 }) });
    const exchange = bench.start(PUT(5));
    const upstream = bench.connected();
    upstream.socket.takes = false;
    bench.data('hello');
    exchange.requestEnd();
    bench.pass(15_000);
    upstream.socket.takes = true;
    upstream.socket.emit('drain');
    bench.pass(5000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'UPSTREAM_TIMEOUT', upstream);
  });

  it('waits for a connection only so long', () => {
    const bench = new ExchangeBench({ maxConnections: 0 });
    bench.start(PUT(5));
    bench.data('hello');
    bench.pass(5000);
    expect(bench.front.heads).toEqual([]);
    bench.pass(250);
    expectRefused(bench, 'UPSTREAM_BUSY');
    expect(bench.pool.waiting).toBe(0);
  });

  it('lets go of a client that takes too little, by what waits for it', () => {
    for (const [pending, patienceMs] of [[100, 30_000], [10_000, 100_000]] as const) {
      const bench = new ExchangeBench();
      bench.start(GET);
      const upstream = bench.connected();
      bench.front.takes = false;
      bench.front.pending = pending;
      upstream.answer(OK.slice(0, -1));
      bench.pass(patienceMs);
      expect(bench.front.endings).toEqual([]);
      bench.pass(250);
      expectBrokenOff(bench, 'RESPONSE_TOO_SLOW', 'timed_out');
      expect(upstream.socket.destroyed).toBe(true);
    }
  }); // prettier-ignore

  it('does not hold against the upstream what the client takes', () => {
    const bench = new ExchangeBench();
    bench.start(GET);
    const upstream = bench.connected();
    bench.front.takes = false;
    upstream.answer(OK.slice(0, -1));
    bench.pass(29_000);
    bench.front.takes = true;
    bench.exchange.onClientDrain();
    bench.pass(19_000);
    upstream.answer('o');
    expect(bench.front).toMatchObject({ body: 'hello', endings: ['end'] });
  });
});

describe('Exchange: Expect: 100-continue (RFC 9110 §10.1.1)', () => {
  it('is answered by the upstream', () => {
    const bench = new ExchangeBench();
    bench.start(EXPECT);
    const upstream = bench.connected();
    expect(upstream.received()).toContain('\r\nExpect: 100-continue\r\n');
    upstream.answer('HTTP/1.1 100 Continue\r\n\r\n');
    bench.pass(5000);
    expect(bench.front.informational).toEqual([100]);
  });

  it('is answered by Portico after a second of silence, once', () => {
    const bench = new ExchangeBench();
    bench.start(EXPECT);
    const upstream = bench.connected();
    bench.pass(1000);
    expect(bench.front.informational).toEqual([]);
    bench.pass(250);
    expect(bench.front.informational).toEqual([100]);
    upstream.answer('HTTP/1.1 100 Continue\r\n\r\n');
    bench.pass(5000);
    expect(bench.front.informational).toEqual([100]);
  });

  it('is not answered when the body comes by itself, or nobody asked', () => {
    const early = new ExchangeBench();
    early.start(EXPECT);
    early.connected();
    early.data('he');
    early.pass(5000);
    expect(early.front.informational).toEqual([]);
    const none = new ExchangeBench();
    none.start(PUT(5));
    none.connected().answer('HTTP/1.1 100 Continue\r\n\r\n');
    none.pass(5000);
    expect(none.front.informational).toEqual([]);
  });

  it('may be answered with the final response', () => {
    const bench = new ExchangeBench();
    bench.start(EXPECT);
    bench.connected().answer('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
    expect(bench.front).toMatchObject({ informational: [], heads: [{ status: 401, close: true }], endings: ['end'] });
  });
});

describe('Exchange: pace', () => {
  it('stops the upstream while the client takes nothing, and the client while the upstream takes nothing', () => {
    const down = new ExchangeBench();
    down.start(GET);
    const upstream = down.connected();
    down.front.takes = false;
    upstream.answer(OK.slice(0, -1));
    expect(upstream.socket.paused).toBe(true);
    down.exchange.onClientDrain();
    expect(upstream.socket.paused).toBe(false);

    const up = new ExchangeBench();
    up.start(PUT(100));
    const taker = up.connected();
    taker.socket.takes = false;
    up.data('x');
    up.data('y');
    expect(up.front.pace).toEqual(['pause']);
    taker.socket.emit('drain');
    expect(up.front.pace).toEqual(['pause', 'resume']);
  });

  it('leaves no upstream connection standing still behind a finished exchange', () => {
    // The client was slow to the last piece: the connection is somebody else's now and must be read.
    const down = new ExchangeBench();
    down.start(GET);
    const upstream = down.connected();
    down.front.takes = false;
    upstream.answer(OK);
    expect(down.pool.take()).toBe(upstream.connection);
    expect(upstream.socket.paused).toBe(false);
  });
});

describe('Exchange: tunnels', () => {
  const UPGRADE =
    'GET /ws HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  function open(): [ExchangeBench, Upstream] {
    const bench = new ExchangeBench();
    bench.start(UPGRADE);
    const upstream = bench.connected();
    expect(upstream.received()).toContain('\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n');
    upstream.answer(SWITCH);
    expect(bench.front.tunnel).toBe(true);
    return [bench, upstream];
  }

  it('carry bytes both ways, beyond the limits of bodies', () => {
    const [bench, upstream] = open();
    bench.data('x'.repeat(2000));
    upstream.answer('y'.repeat(2000));
    expect(upstream.received()).toBe('x'.repeat(2000));
    expect(bench.front.body).toBe('y'.repeat(2000));
    bench.exchange.clientEnded();
    expect(upstream.socket.destroyed).toBe(true);
    expect(bench.entries[0]).toMatchObject({ status: 101, outcome: 'tunnel', errorCode: null, bytesIn: 2000, bytesOut: 2000 });
    expectAccounted(bench);
  }); // prettier-ignore

  it('end with the upstream', () => {
    const [bench, upstream] = open();
    upstream.close();
    expect(bench.front.endings).toEqual(['end']);
    expect(bench.entries[0]).toMatchObject({ outcome: 'tunnel', errorCode: null });
    expectAccounted(bench);
  });

  it('break with the upstream, or with the client', () => {
    const [bench, upstream] = open();
    upstream.socket.emit('close');
    expect(bench.front.endings).toEqual(['abort']);
    expectAccounted(bench);
    const [other, taker] = open();
    other.exchange.clientGone();
    expect(taker.socket.destroyed).toBe(true);
    expect(other.entries[0]).toMatchObject({ outcome: 'tunnel' });
    expect(other.metrics.filter((call) => call.startsWith('truncated'))).toEqual([]);
  });

  it('end after 15 minutes of silence in both directions', () => {
    const [bench, upstream] = open();
    bench.pass(14 * 60_000);
    bench.data('x');
    bench.pass(14 * 60_000);
    upstream.answer('y');
    bench.pass(15 * 60_000);
    expect(bench.entries).toEqual([]);
    bench.pass(250);
    expect(bench.entries[0]).toMatchObject({ outcome: 'timed_out', errorCode: 'TUNNEL_IDLE' });
    expect(upstream.socket.destroyed).toBe(true);
  });

  it('keep the pace of the slower side', () => {
    const [bench, upstream] = open();
    upstream.socket.takes = false;
    bench.data('x');
    bench.data('x');
    upstream.socket.emit('drain');
    expect(bench.front.pace).toEqual(['pause', 'resume']);
    bench.front.takes = false;
    upstream.answer('y');
    expect(upstream.socket.paused).toBe(true);
    bench.exchange.onClientDrain();
    expect(upstream.socket.paused).toBe(false);
  });

  it('are none when the upgrade is refused, and the client’s connection ends', () => {
    const bench = new ExchangeBench();
    bench.start(UPGRADE);
    bench.connected().answer('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    expect(bench.front).toMatchObject({ tunnel: false, heads: [{ status: 403, close: true }], endings: ['end'] });
  });
});

describe('Exchange: whatever happens', () => {
  type Step = 'connect' | 'refuse' | 'data' | 'end' | 'broken' | 'gone' | 'drain' | 'block' | 'clientBlock' | 'clientDrain' | 'answer' | 'rest' | 'close' | 'time'; // prettier-ignore
  const step = fc.constantFrom<Step>('connect', 'connect', 'refuse', 'data', 'data', 'end', 'broken', 'gone', 'drain', 'block', 'clientBlock', 'clientDrain', 'answer', 'rest', 'close', 'time'); // prettier-ignore

  it('is accounted once, answers once, and ends once', () => {
    fc.assert(
      fc.property(fc.constantFrom(GET, PUT(20), CHUNKED, EXPECT), fc.boolean(), fc.array(step, { maxLength: 20 }), (text, used, steps) => {
        const bench = new ExchangeBench();
        if (used) bench.used();
        const exchange = bench.start(text);
        let open = text !== GET;
        let sent = 0;
        for (const what of steps) {
          const upstream = bench.upstreams.at(-1);
          const alive = upstream !== undefined && !upstream.socket.destroyed && !upstream.connection.isIdle;
          if (what === 'connect' && bench.dials > 0) bench.connected();
          else if (what === 'refuse' && bench.dials > 0) bench.refused(new Error('refused'));
          else if (what === 'data' && open && sent < 20) {
            sent += 5;
            bench.data('hello');
          } else if (what === 'end' && open && (sent === 20 || text === CHUNKED)) {
            open = false;
            exchange.requestEnd();
          } else if (what === 'broken' && open) {
            open = false;
            exchange.requestBroken();
          } else if (what === 'gone') {
            open = false;
            exchange.clientGone();
          } else if (what === 'drain' && alive) {
            upstream.socket.takes = true;
            upstream.socket.emit('drain');
          } else if (what === 'block' && alive) upstream.socket.takes = false;
          else if (what === 'clientBlock') bench.front.takes = false;
          else if (what === 'clientDrain') {
            bench.front.takes = true;
            exchange.onClientDrain();
          } else if (what === 'answer' && alive) upstream.answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
          else if (what === 'rest' && alive) upstream.answer('world');
          else if (what === 'close' && alive) upstream.close();
          else if (what === 'time') bench.pass(7000);
          expect(bench.front.heads.length).toBeLessThanOrEqual(1);
          expect(bench.front.endings.length).toBeLessThanOrEqual(1);
          // Two stops in a row, or a start without a stop, would lose count.
          expect(bench.front.pace.filter((call, at) => call !== (at % 2 === 0 ? 'pause' : 'resume'))).toEqual([]);
        }
        exchange.clientGone();
        expectAccounted(bench);
        expect(bench.pool.waiting).toBe(0);
        const opened = bench.poolEvents.filter((event) => event === 'opened').length;
        const closed = bench.poolEvents.filter((event) => event === 'closed').length;
        expect(opened - closed).toBe(bench.upstreams.filter(({ socket }) => !socket.destroyed).length);
        // What is left open is idle, read from, and nobody's.
        for (const { connection, socket } of bench.upstreams) {
          if (!socket.destroyed) expect([connection.isIdle, socket.paused]).toEqual([true, false]);
        }
        // A request that was not complete never looks so, and a response that was not complete neither.
        if (bench.entries[0]?.outcome === 'complete') expect(bench.front.body).toHaveLength(10);
      }),
      { numRuns: 500 },
    );
  }); // prettier-ignore
});
