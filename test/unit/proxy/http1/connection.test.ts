import { describe, expect, it } from 'vitest';
import { Http1Connection } from '../../../../src/proxy/http1/connection.ts';
import { ExchangeBench, relay, type BenchOptions, type Upstream } from '../exchange-bench.ts';
import { FakeSocket } from '../upstream/fake-socket.ts';

const GET = 'GET /_matrix/a HTTP/1.1\r\nHost: example.com\r\n\r\n';
const PUT = 'PUT /_matrix/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A client's connection on a socket without a network, with the upstreams of an {@link ExchangeBench}. */
class ConnectionBench {
  readonly socket = new FakeSocket();
  readonly around: ExchangeBench;
  readonly connection: Http1Connection;
  closed = 0;

  constructor(options?: BenchOptions) {
    this.around = new ExchangeBench(options);
    this.connection = new Http1Connection(this.socket.asSocket(), this.around.context, () => this.closed++);
  }

  send(text: string): this {
    this.socket.emit('data', Buffer.from(text, 'latin1'));
    return this;
  }

  received(): string {
    const text = this.socket.written;
    this.socket.written = '';
    return text;
  }

  upstream(): Upstream {
    return this.around.connected();
  }
}

/** Lets what waits for the next turn of the event loop happen. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('Http1Connection', () => {
  it('relays one request after the other on one connection', () => {
    const bench = new ConnectionBench().send(GET);
    const upstream = bench.upstream();
    upstream.answer(OK);
    expect(bench.received()).toBe(OK);
    expect(bench.connection.isIdle).toBe(true);
    bench.send(PUT);
    expect(upstream.received()).toMatch(/hello$/);
    upstream.answer(OK);
    expect(bench.received()).toBe(OK);
    expect(bench.around.entries.map(({ outcome }) => outcome)).toEqual(['complete', 'complete']);
  });

  it('says the same however a request is cut', () => {
    for (let at = 1; at < PUT.length; at++) {
      const bench = new ConnectionBench().send(PUT.slice(0, at)).send(PUT.slice(at));
      const upstream = bench.upstream();
      if (upstream.socket.written.endsWith('\r\n\r\n')) expect.unreachable();
      expect(upstream.received()).toMatch(/hello$/);
      upstream.answer(OK);
      expect(bench.received()).toBe(OK);
      expect(bench.connection.isIdle).toBe(true);
    }
  });

  it('sends head and small body in one write, both ways', () => {
    for (const text of [
      PUT,
      PUT.replace('Content-Length: 5', 'Transfer-Encoding: chunked').replace('hello', '5\r\nhello\r\n0\r\n\r\n'),
    ]) {
      const bench = new ConnectionBench();
      const upstream = bench.around.used();
      upstream.socket.writes = 0;
      bench.send(text);
      expect(upstream.received()).toMatch(/hello(?:\r\n0\r\n\r\n)?$/);
      expect(upstream.socket.writes).toBe(text === PUT ? 1 : 2);
      upstream.answer(OK);
      expect(bench.received()).toBe(OK);
      expect(bench.socket.writes).toBe(1);
    }
  });

  it('answers pipelined requests in order, one at a time', async () => {
    const bench = new ConnectionBench().send(GET + GET.replace('/a', '/b') + GET.replace('/a', '/c').slice(0, 10));
    const upstream = bench.upstream();
    expect(upstream.received().match(/GET \S+/g)).toEqual(['GET /_matrix/a']);
    upstream.answer(OK);
    await turn();
    expect(upstream.received().match(/GET \S+/g)).toEqual(['GET /_matrix/b']);
    upstream.answer(OK);
    await turn();
    bench.send(GET.replace('/a', '/c').slice(10));
    expect(upstream.received().match(/GET \S+/g)).toEqual(['GET /_matrix/c']);
    expect(bench.received()).toBe(OK + OK);
  });

  it('listens to the next request, though the upstream never took the last of this one', () => {
    // The body came whole; the upstream took none of it, and answered. Nobody else would start the client again.
    const bench = new ConnectionBench();
    const upstream = bench.around.used();
    upstream.socket.takes = false;
    bench.send(PUT);
    expect(bench.socket.paused).toBe(true);
    upstream.answer(OK);
    expect(bench.received()).toBe(OK);
    expect(bench.connection.isIdle).toBe(true);
    expect(bench.socket.paused).toBe(false);
  });

  it('closes behind an answer that came before the end of the request', () => {
    const bench = new ConnectionBench().send(PUT.slice(0, -1));
    bench.upstream().answer(OK);
    expect(bench.received()).toBe(OK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    bench.send(`o${GET}`);
    expect(bench.received()).toBe('');
    expect(bench.around.entries).toHaveLength(1);
  });

  it('answers in chunks what has no length, and ends a broken answer without its end', () => {
    const bench = new ConnectionBench().send(GET);
    const upstream = bench.upstream();
    upstream.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    upstream.close();
    expect(bench.received()).toBe('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    expect(bench.socket.destroyed).toBe(true);
  });

  it.for<[what: string, text: string, status: number, code: string]>([
    ['no HTTP', '\x16\x03\x01\x02\x00\x01', 400, 'BAD_REQUEST'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a bare LF, before the head is complete', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'BAD_REQUEST'],
    ['both framings', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'BAD_FRAMING'],
    ['a target without end', `GET /${'a'.repeat(20_000)}`, 414, 'TARGET_TOO_LONG'],
    ['a head without end', `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(3000)}`, 431, 'HEAD_TOO_LARGE'],
  ])('refuses %s, accounts for it, and looks at nothing behind it', ([, text, status, code]) => {
    const bench = new ConnectionBench().send(text).send(GET);
    const answer = bench.received();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.match(/^HTTP/gm)).toHaveLength(1);
    expect(answer).toMatch(/\r\nConnection: close\r\n/);
    expect(bench.around.entries).toMatchObject([{ status, errorCode: code, outcome: 'refused' }]);
    expect(bench.around.dials).toBe(0);
  }); // prettier-ignore

  it('tells a client that is gone from one that is done', () => {
    const bench = new ConnectionBench({ route: relay() }).send(GET);
    const upstream = bench.upstream();
    bench.socket.emit('end');
    bench.socket.emit('close');
    expect(upstream.socket.destroyed).toBe(true);
    expect(bench.around.entries).toMatchObject([{ outcome: 'client_gone', status: 0 }]);
    expect(bench.closed).toBe(1);
  });
});
