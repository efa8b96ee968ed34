import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadBuffers } from '../../../../src/proxy/read-buffers.ts';
import { UpstreamConnection, type UpstreamHandler } from '../../../../src/proxy/upstream/connection.ts';
import { AT_ONCE, FakeSocket } from './fake-socket.ts';

/** A connection, its socket, and all that was heard of it, in order. */
class Bench {
  readonly socket = new FakeSocket();
  readonly buffers = new ReadBuffers();
  /** Callbacks by name; data of one response is joined. */
  readonly events: string[] = [];
  readonly released: boolean[] = [];
  body = '';
  readonly connection: UpstreamConnection;
  onData: (() => void) | null = null;
  onHead: (() => void) | null = null;

  constructor() {
    this.connection = new UpstreamConnection(
      this.socket.asSocket(),
      { turn: AT_ONCE, buffers: this.buffers },
      (connection, reusable) => {
        expect(connection).toBe(this.connection);
        this.released.push(reusable);
        this.events.push(reusable ? 'released' : 'released for good');
      },
    );
  }

  readonly handler: UpstreamHandler = {
    onInformational: (status) => this.events.push(`informational ${String(status)}`),
    onResponseHead: (head) => {
      this.events.push(`head ${String(head.status)}`);
      this.onHead?.();
    },
    onResponseData: (chunk) => {
      expect(chunk.length).toBeGreaterThan(0);
      this.body += chunk.toString('latin1');
      if (this.events.at(-1) !== 'data') this.events.push('data');
      this.onData?.();
    },
    onResponseEnd: () => this.events.push('end'),
    onReadEnd: () => undefined,
    onUpstreamFailure: (code, silent) => this.events.push(`${code}${silent ? ' silent' : ''}`),
    onUpstreamDrain: () => this.events.push('drain'),
  };

  /** Starts a request and says that it is complete. */
  request(method = 'GET', websocket = false): this {
    this.connection.start(this.handler, method, websocket);
    this.connection.requestSent();
    return this;
  }

  /** Feeds a read the way the dialler does: into the buffer that the connection asked for, which is used again. */
  read(text: string): this {
    const buffer = this.connection.nextBuffer();
    const length = buffer.write(text, 'latin1');
    this.connection.onRead(buffer, length);
    if (buffer === this.buffers.shared) buffer.fill('!', 0, length);
    return this;
  }
}

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n';
const BODILESS = 'HTTP/1.1 204 No Content\r\n\r\n';

describe('UpstreamConnection: responses', () => {
  it.for<[what: string, method: string, response: string, body: string, events: string[]]>([
    ['a length', 'GET', LENGTH, 'hello', ['head 200', 'data', 'released', 'end']],
    ['chunks', 'GET', CHUNKED, 'hello!', ['head 200', 'data', 'released', 'end']],
    ['no body', 'GET', BODILESS, '', ['head 204', 'released', 'end']],
    ['a length of 0', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '', ['head 200', 'released', 'end']],
    ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', '', ['head 200', 'released', 'end']],
    ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '', ['head 304', 'released', 'end']],
    ['interim responses', 'POST', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${LENGTH}`, 'hello', ['informational 100', 'informational 103', 'head 200', 'data', 'released', 'end']],
    ['Connection: close', 'GET', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello', 'hello', ['head 200', 'data', 'released for good', 'end']],
    ['HTTP/1.0', 'GET', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello', ['head 200', 'data', 'released for good', 'end']],
    ['HTTP/1.0 with keep-alive', 'GET', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello', 'hello', ['head 200', 'data', 'released', 'end']],
    ['204 with a length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', '', ['head 204', 'released for good', 'end']],
  ])('%s', ([, method, response, body, events]) => {
    const bench = new Bench().request(method).read(response);
    expect(bench.events).toEqual(events);
    expect(bench.body).toBe(body);
    expect(bench.socket.destroyed).toBe(!events.includes('released'));
    // The same in two reads, cut anywhere, and byte by byte.
    for (let at = 1; at < response.length; at++) {
      const split = new Bench().request(method).read(response.slice(0, at)).read(response.slice(at));
      expect([split.events, split.body]).toEqual([events, body]);
    }
    const bytes = new Bench().request(method);
    for (const byte of response) bytes.read(byte);
    expect([bytes.events, bytes.body]).toEqual([events, body]);
  }); // prettier-ignore

  it('takes a body until the connection ends', () => {
    const bench = new Bench().request().read('HTTP/1.1 200 OK\r\n\r\nhel').read('lo');
    expect(bench.events).toEqual(['head 200', 'data']);
    bench.socket.emit('end');
    bench.socket.emit('close');
    expect(bench.events).toEqual(['head 200', 'data', 'released for good', 'end']);
    expect(bench.body).toBe('hello');
  });

  it('does not take a reset for the end of such a body', () => {
    const bench = new Bench().request().read('HTTP/1.1 200 OK\r\n\r\nhello');
    bench.socket.emit('error', new Error('reset'));
    bench.socket.emit('close');
    expect(bench.events).toEqual(['head 200', 'data', 'released for good', 'UPSTREAM_CLOSED']);
  });

  it('serves one request after the other, each as its method asks', () => {
    const bench = new Bench().request().read(LENGTH);
    bench.request('HEAD').read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n').request('POST').read(CHUNKED);
    expect(bench.released).toEqual([true, true, true]);
    expect(bench.body).toBe('hellohello!');
    expect(bench.connection.requests).toBe(3);
    expect(bench.connection.isIdle).toBe(true);
  });

  it('says the same however the reads are cut, and lends bytes only for the time of the call', () => {
    const response = fc.constantFrom(
      LENGTH,
      CHUNKED,
      BODILESS,
      `HTTP/1.1 100 Continue\r\n\r\n${CHUNKED}`,
      `${LENGTH}HTTP/1.1 200 OK\r\n`,
      LENGTH.replace('hello', 'hell\0'),
      CHUNKED.replace('5;', '6;'),
      'HTTP/1.1 101 Switching Protocols\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello',
      `HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n${'abc'.repeat(1000)}`,
    );
    fc.assert(
      fc.property(response, fc.array(fc.nat({ max: 3100 }), { maxLength: 20 }), (text, cuts) => {
        const whole = new Bench().request().read(text);
        const split = new Bench().request();
        const kept: { chunk: Buffer; text: string }[] = [];
        const { onResponseData } = split.handler;
        split.handler.onResponseData = (chunk, borrowed) => {
          onResponseData(chunk, borrowed);
          if (!borrowed) kept.push({ chunk, text: chunk.toString('latin1') });
        };
        const places = [...new Set([0, ...cuts.filter((cut) => cut < text.length), text.length])];
        places.sort((one, other) => one - other);
        for (let index = 0; index + 1 < places.length; index++) split.read(text.slice(places[index], places[index + 1]));
        // Whether bytes follow the response is known only when they came with its end.
        if (!text.endsWith('200 OK\r\n')) expect(split.events).toEqual(whole.events);
        expect(split.body).toBe(whole.body);
        for (const { chunk, text: said } of kept) expect(chunk.toString('latin1')).toBe(said);
      }),
      { numRuns: 300 },
    );
  }); // prettier-ignore
});

describe('UpstreamConnection: when it is used again', () => {
  it('is not, while the request is not complete', () => {
    const bench = new Bench();
    bench.connection.start(bench.handler, 'POST', false);
    bench.read(LENGTH);
    expect(bench.events).toEqual(['head 200', 'data', 'released for good', 'end']);
    expect(bench.socket.destroyed).toBe(true);
  });

  it('is not, while bytes of the request have not left', () => {
    const bench = new Bench().request('POST');
    bench.socket.writableLength = 1;
    bench.read(LENGTH);
    expect(bench.events).toEqual(['head 200', 'data', 'released for good', 'end']);
    expect(bench.socket.destroyed).toBe(true);
  });

  it('is not, when bytes follow the response in the same read', () => {
    for (const response of [LENGTH, CHUNKED, BODILESS]) {
      const bench = new Bench().request().read(`${response}H`);
      expect(bench.released).toEqual([false]);
      expect(bench.socket.destroyed).toBe(true);
      expect(bench.events.at(-1)).toBe('end');
    }
  });

  it('is not, when bytes follow while it is idle', () => {
    const bench = new Bench().request().read(LENGTH).read('HTTP/1.1 200 OK\r\n');
    expect(bench.released).toEqual([true, false]);
    expect(bench.socket.destroyed).toBe(true);
    expect(bench.connection.isIdle).toBe(false);
  });

  it('is not, when bytes come before the first request', () => {
    const bench = new Bench().read(LENGTH);
    expect(bench.events).toEqual(['released for good']);
    expect(bench.socket.destroyed).toBe(true);
  });

  it('is not, when the upstream ends it while it is idle', () => {
    const bench = new Bench().request().read(LENGTH);
    bench.socket.emit('end');
    bench.socket.emit('close');
    expect(bench.released).toEqual([true, false]);
    expect(bench.events.at(-1)).toBe('released for good');
  });

  it('is handed back before the end of the response is told, so that what follows may take it', () => {
    const bench = new Bench().request();
    const { onResponseEnd } = bench.handler;
    bench.handler.onResponseEnd = () => {
      onResponseEnd();
      bench.handler.onResponseEnd = onResponseEnd;
      bench.request();
    };
    bench.read(LENGTH).read(LENGTH);
    expect(bench.events).toEqual(['head 200', 'data', 'released', 'end', 'head 200', 'data', 'released', 'end']);
  });

  it('reads again when it is handed back, though the client was slow to the last', () => {
    // Nobody resumes an idle connection: the next request on it would never hear its answer.
    for (const response of [LENGTH, CHUNKED]) {
      const bench = new Bench();
      bench.onData = () => {
        bench.connection.pause();
      };
      bench.request().read(response);
      expect(bench.released).toEqual([true]);
      expect(bench.socket.paused).toBe(false);
    }
  });
});

describe('UpstreamConnection: failures', () => {
  it.for<[what: string, response: string]>([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['a head that breaks the grammar', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(65_536 - 20)}`],
    ['interim responses without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)],
    ['more fields than anybody needs', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(201)}\r\n`],
  ])('%s: UPSTREAM_INVALID', ([, response]) => {
    const bench = new Bench().request().read(response);
    expect(bench.events.filter((event) => !event.startsWith('informational'))).toEqual([
      'released for good',
      'UPSTREAM_INVALID',
    ]);
    expect(bench.socket.destroyed).toBe(true);
    bench.socket.emit('close');
    bench.read(LENGTH);
    expect(bench.released).toEqual([false]);
  });

  it('takes 16 interim responses', () => {
    const bench = new Bench().request().read('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(16)).read(LENGTH);
    expect(bench.events.slice(16)).toEqual(['head 200', 'data', 'released', 'end']);
  });

  it('counts interim responses anew with every request', () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(16);
    const bench = new Bench().request().read(interim).read(LENGTH).request().read(interim).read(LENGTH);
    expect(bench.released).toEqual([true, true]);
  });

  it('a broken chunk after the head: UPSTREAM_INVALID', () => {
    const bench = new Bench().request().read(CHUNKED.replace('1\r\n!', '1\r\n!!'));
    expect(bench.events).toEqual(['head 200', 'data', 'released for good', 'UPSTREAM_INVALID']);
  });

  it.for<[what: string, response: string, event: string]>([
    ['before a byte', '', 'UPSTREAM_CLOSED silent'],
    ['after a byte', 'H', 'UPSTREAM_CLOSED'],
    ['within the head', 'HTTP/1.1 200 OK\r\n', 'UPSTREAM_CLOSED'],
    ['after an interim response', 'HTTP/1.1 100 Continue\r\n\r\n', 'UPSTREAM_CLOSED'],
    ['within a body of known length', LENGTH.slice(0, -1), 'UPSTREAM_CLOSED'],
    ['within chunks', CHUNKED.slice(0, -1), 'UPSTREAM_CLOSED'],
    ['before the first chunk', CHUNKED.slice(0, CHUNKED.indexOf('5;')), 'UPSTREAM_CLOSED'],
  ])('an end %s', ([, response, event]) => {
    for (const how of ['end', 'close']) {
      const bench = new Bench().request();
      if (response !== '') bench.read(response);
      bench.socket.emit(how);
      bench.socket.emit('close');
      expect(bench.events.slice(-2)).toEqual(['released for good', event]);
      expect(bench.socket.destroyed).toBe(true);
    }
  });

  it('is silent anew with every request', () => {
    const bench = new Bench().request().read(LENGTH).request();
    bench.socket.emit('end');
    expect(bench.events.at(-1)).toBe('UPSTREAM_CLOSED silent');
  });

  it('survives an error event', () => {
    const bench = new Bench().request();
    bench.socket.emit('error', new Error('reset'));
    expect(bench.events).toEqual([]);
    bench.socket.emit('close');
    expect(bench.events).toEqual(['released for good', 'UPSTREAM_CLOSED silent']);
  });

  it('never throws at damaged responses, and always comes to one end', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.constantFrom<string>(LENGTH, CHUNKED, BODILESS), fc.array(change, { minLength: 1, maxLength: 3 }), (text, changes) => {
        const bad = changes.reduce((current, [at, byte]) => {
          const place = at % current.length;
          return current.slice(0, place) + String.fromCharCode(byte) + current.slice(place + 1);
        }, text);
        const bench = new Bench().request().read(bad);
        bench.socket.emit('end');
        bench.socket.emit('close');
        expect(bench.events.filter((event) => event === 'end' || event.startsWith('UPSTREAM_'))).toHaveLength(1);
        expect(bench.released.filter((reusable) => !reusable)).toHaveLength(1);
        expect(bench.socket.destroyed || bench.released[0] === true).toBe(true);
      }),
      { numRuns: 500 },
    );
  }); // prettier-ignore
});

describe('UpstreamConnection: given up by its exchange', () => {
  it.for(['head', 'data'])('says nothing more when that happens in %s', (place) => {
    for (const response of [LENGTH, CHUNKED, 'HTTP/1.1 200 OK\r\n\r\nhello']) {
      const bench = new Bench();
      const giveUp = (): void => {
        bench.connection.destroy();
      };
      if (place === 'head') bench.onHead = giveUp;
      else bench.onData = giveUp;
      bench.request().read(response);
      bench.socket.emit('close');
      expect(bench.events).toEqual(
        place === 'head' ? ['head 200', 'released for good'] : ['head 200', 'data', 'released for good'],
      );
      expect(bench.socket.destroyed).toBe(true);
    }
  });

  it('is released once, however often it is broken', () => {
    const bench = new Bench().request();
    bench.connection.destroy();
    bench.connection.destroy();
    bench.connection.endTunnel();
    bench.socket.emit('end');
    bench.socket.emit('close');
    expect(bench.events).toEqual(['released for good']);
    expect(bench.connection.write('x')).toBe(true);
    expect(bench.socket.written).toBe('');
  });
});

describe('UpstreamConnection: tunnels', () => {
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  it('hands on every byte behind 101, also of the same read', () => {
    const bench = new Bench().request('GET', true).read(`${SWITCH}\x81\x01a`).read('HTTP/1.1 200 OK\r\n\r\n');
    expect(bench.events).toEqual(['head 101', 'data']);
    expect(bench.body).toBe('\x81\x01aHTTP/1.1 200 OK\r\n\r\n');
    bench.socket.emit('end');
    bench.socket.emit('close');
    expect(bench.events).toEqual(['head 101', 'data', 'end', 'released for good']);
  });

  it('tells of a tunnel that broke', () => {
    const bench = new Bench().request('GET', true).read(SWITCH);
    bench.socket.emit('close');
    expect(bench.events).toEqual(['head 101', 'released for good', 'UPSTREAM_CLOSED']);
  });

  it('ends after what was written', () => {
    const bench = new Bench().request('GET', true).read(SWITCH);
    bench.connection.write('bye');
    bench.connection.endTunnel();
    bench.socket.emit('close');
    expect(bench.socket.written).toBe('bye');
    expect(bench.events).toEqual(['head 101', 'released for good']);
  });

  it('is an ordinary answer when the upgrade is refused', () => {
    const bench = new Bench().request('GET', true).read('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    expect(bench.events).toEqual(['head 400', 'released', 'end']);
  });
});

describe('UpstreamConnection: pace', () => {
  it('passes on what the socket says of writes and drains', () => {
    const bench = new Bench().request();
    expect(bench.connection.write('a')).toBe(true);
    bench.socket.takes = false;
    bench.socket.writableLength = 7;
    expect(bench.connection.write(Buffer.from('\xe9', 'latin1'))).toBe(false);
    expect(bench.connection.pendingBytes).toBe(7);
    bench.socket.emit('drain');
    expect(bench.events).toEqual(['drain']);
    expect(bench.socket.written).toBe('a\xe9');
  });

  it('reads a body that streams on into buffers of its own, everything else into the shared one', () => {
    const bench = new Bench();
    const { shared } = bench.buffers;
    expect(bench.connection.nextBuffer()).toBe(shared);
    bench.request().read('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx');
    expect(bench.connection.nextBuffer()).toBe(shared);
    bench.read('x'.repeat(49_999));
    const own = bench.connection.nextBuffer();
    expect(own).not.toBe(shared);
    expect(own).not.toBe(bench.connection.nextBuffer());
    bench.read('x'.repeat(50_000));
    expect([bench.released, bench.body.length]).toEqual([[true], 100_000]);
    expect(bench.connection.nextBuffer()).toBe(shared);
  });
});
