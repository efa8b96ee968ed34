/** HTTP/2 in front, HTTP/1.1 behind: what a client asks is what the homeserver sees, and the other way round. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { PATH, connectH2, expectHonestService, requestFields } from '../helpers/h2-client.ts';
import { ErrorCode, Flag, FrameType, Setting, data, headerBlock, headers, windowUpdate } from '../helpers/h2-frames.ts';
import type { Echo } from '../helpers/honest-backend.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import type { BackendRequest } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

/** The only request the backend saw. */
function onlyRequest(front: Front): BackendRequest {
  expect(front.backend.requests).toHaveLength(1);
  const [one] = front.backend.requests;
  if (one === undefined) throw new Error('no request');
  return one;
}

describe('negotiation', () => {
  test('https listeners speak h2 and still HTTP/1.1; federation listeners only when told', async ({ stage }) => {
    const front = await stage.front();
    const h2 = await front.connect({ alpn: ['h2', 'http/1.1'] });
    expect(h2.tls.alpnProtocol).toBe('h2');
    const h1 = await front.connect({ alpn: ['http/1.1'] });
    expect(h1.tls.alpnProtocol).toBe('http/1.1');
    const federation = await front.connect({ listener: 'federation', alpn: ['h2', 'http/1.1'] });
    expect(federation.tls.alpnProtocol).toBe('http/1.1');
  });

  test('http2.federation: true', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.http2 = { federation: true }));
    const client = await connectH2(front, { listener: 'federation' });
    expect((await client.fetch({ ':path': '/_matrix/federation/v1/version' })).status).toBe(200);
  });

  test('http2.https: false', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.http2 = { https: false }));
    const client = await front.connect({ alpn: ['h2', 'http/1.1'] });
    expect(client.tls.alpnProtocol).toBe('http/1.1');
  });

  test('SETTINGS come first, ours are acknowledged, PING is answered with its own bytes', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front, { settings: [[Setting.enablePush, 0]] });
    await client.frame((one) => one.type === FrameType.settings && one.flags === Flag.ack, 'the ACK of SETTINGS');
    expect(client.frames[0]?.type).toBe(FrameType.settings);
    expect(client.frames[0]?.flags).toBe(0);
    expect(client.serverSettings.get(Setting.enablePush) ?? 0).toBe(0);
    expect(client.serverSettings.get(Setting.maxConcurrentStreams)).toBeGreaterThanOrEqual(100);
    await client.roundTrip();
  });
});

describe('requests', () => {
  test('GET: target, authority and fields arrive as sent, hop-by-hop fields and te do not', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const target = '/_matrix/client/v3/rooms/!a%2Fb:x/state//m.r?x=%2F&y=+#'.slice(0, -1);
    const seen = await client.fetch({ ':path': target }, [
      ['authorization', 'Bearer secret'],
      ['x-a', 'one'],
      ['x-a', 'two'],
      ['te', 'trailers'],
    ]);
    expect(seen.status).toBe(200);
    expect(seen.json()).toEqual({});
    const request = onlyRequest(front);
    expect([request.method, request.target]).toEqual(['GET', target]);
    expect(request.values('host')).toEqual(['example.test']);
    expect(request.values('authorization')).toEqual(['Bearer secret']);
    expect(request.values('x-a')).toEqual(['one', 'two']);
    expect(request.values('te')).toEqual([]);
    expect(request.values('content-length')).toEqual([]);
    expect(request.values('transfer-encoding')).toEqual([]);
    expect(request.values('x-forwarded-proto')).toEqual(['https']);
    expect(front.backend.text()).not.toMatch(/:path|:authority|:method|HTTP\/2/);
  });

  test('the access log says HTTP/2', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.fetch();
    await eventually(() => {
      expect(front.portico.accessLog.map((line) => line.protocol)).toContain('HTTP/2');
    });
  });

  test('`host` alone stands in for `:authority`', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch({ ':authority': null }, [['host', 'example.test']])).status).toBe(200);
    expect(onlyRequest(front).values('host')).toEqual(['example.test']);
  });

  test('cookie crumbs are joined with "; " (RFC 9113 §8.2.3)', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.fetch({}, [['cookie', 'a=1'], ['x-b', '2'], ['cookie', 'c=3; d=4'], ['cookie', 'e=5']]); // prettier-ignore
    expect(onlyRequest(front).values('cookie')).toEqual(['a=1; c=3; d=4; e=5']);
  });

  test.for(['PUT', 'POST', 'DELETE'])('%s with a body, of known and of unknown length', async (method, { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const known = await client.fetch({ ':method': method }, [['content-length', '11']], 'hello world');
    const unknown = await client.fetch({ ':method': method }, [], 'hello world');
    expect([known.status, unknown.status]).toEqual([200, 200]);
    const [first, second] = front.backend.requests;
    expect(front.backend.requests.map((one) => [one.method, one.body.toString(), one.complete])).toEqual([
      [method, 'hello world', true],
      [method, 'hello world', true],
    ]);
    expect(first?.values('content-length')).toEqual(['11']);
    expect(first?.values('transfer-encoding')).toEqual([]);
    expect(second?.values('content-length')).toEqual([]);
    expect(second?.values('transfer-encoding')).toEqual(['chunked']);
    expect(front.backend.executed()).toEqual([`${method} ${PATH}`]);
  });

  test('a body without bytes: END_STREAM on an empty DATA', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const seen = await client.fetch({ ':method': 'PUT' }, [['content-length', '0']], '');
    expect(seen.status).toBe(200);
    const request = onlyRequest(front);
    expect([request.body.length, request.complete]).toEqual([0, true]);
  });

  test('padding is not part of the body', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = client.nextId();
    const block = headerBlock(requestFields({ ':method': 'PUT' }, ['content-length', '5']));
    const padding = Buffer.alloc(200);
    await client.send(
      headers(id, Buffer.concat([Buffer.from([200]), block, padding]), Flag.endHeaders | Flag.padded),
      data(id, Buffer.concat([Buffer.from([200]), Buffer.from('hello'), padding]), Flag.endStream | Flag.padded),
    );
    expect((await client.response(id)).status).toBe(200);
    expect(onlyRequest(front).body.toString()).toBe('hello');
  });

  test('trailers are read and dropped; those that try to be more do no harm', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['trailer', 'x-checksum']), false);
    await client.send(
      data(id, 'body'),
      headers(id, headerBlock([['x-checksum', 'abc'], ['authorization', 'Bearer other'], ['host', 'evil.test']])),
    ); // prettier-ignore
    expect((await client.response(id)).status).toBe(200);
    const request = onlyRequest(front);
    expect([request.body.toString(), request.complete, request.trailers]).toEqual(['body', true, []]);
    expect(front.backend.text()).not.toMatch(/checksum|Bearer other|evil/i);
  });

  test('a head in CONTINUATION frames, cut anywhere, one byte each', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    // So that the client's own ACK of SETTINGS does not come between the frames.
    await client.roundTrip();
    const block = headerBlock(requestFields({}, ['x-long', 'v'.repeat(40)]));
    const id = client.nextId();
    const parts = [headers(id, block.subarray(0, 1), Flag.endStream)];
    const cuts = 16;
    const size = Math.ceil((block.length - 1) / cuts);
    for (let part = 0; part < cuts; part += 1) {
      const end = part === cuts - 1;
      const piece = block.subarray(1 + part * size, end ? block.length : 1 + (part + 1) * size);
      parts.push(Buffer.concat([Buffer.from([0, 0, piece.length, 9, end ? 4 : 0, 0, 0, 0, id]), piece]));
    }
    for (const byte of Buffer.concat(parts)) await client.send(Buffer.from([byte]));
    expect((await client.response(id)).status).toBe(200);
    expect(onlyRequest(front).values('x-long')).toEqual(['v'.repeat(40)]);
  });

  test('fields that only a trusted proxy may send are dropped, as over HTTP/1', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.fetch({}, [['x-forwarded-for', '6.6.6.6'], ['x_forwarded_for', '6.6.6.6'], ['x-real-ip', '6.6.6.6']]); // prettier-ignore
    expect(front.backend.text()).not.toContain('6.6.6.6');
  });

  test('Expect: 100-continue reaches the homeserver; when that says nothing, Portico does', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const fields = requestFields({ ':method': 'PUT' }, ['expect', '100-continue'], ['content-length', '5']);
    const id = await client.open(fields, false);
    await client.until(() => client.stream(id).sections.length > 0, 'an interim response');
    expect(client.stream(id).sections[0]).toEqual([[':status', '100']]);
    await client.upload(id, Buffer.from('hello'));
    const seen = await client.response(id);
    expect([seen.status, seen.informational.length]).toEqual([200, 1]);
    const request = onlyRequest(front);
    expect([request.body.toString(), request.values('expect')]).toEqual(['hello', ['100-continue']]);
  });

  test('another expectation: 417', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch({ ':method': 'PUT' }, [['expect', 'magic']], 'x')).status).toBe(417);
    expect(front.backend.requests).toHaveLength(0);
  });
});

describe('responses', () => {
  test('fields in lower case, hop-by-hop ones dropped, several set-cookie kept apart', async ({ stage }) => {
    const fields = [
      'Content-Type: application/json',
      'Set-Cookie: a=1; Path=/',
      'X-Mixed-CASE: Value',
      'Set-Cookie: b=2',
      'Connection: x-hop, keep-alive',
      'X-Hop: gone',
      'Keep-Alive: timeout=5',
    ];
    const front = await stage.front(answer(response(200, '{"a":1}', fields)));
    const client = await connectH2(front);
    const seen = await client.fetch();
    expect(seen.values('set-cookie')).toEqual(['a=1; Path=/', 'b=2']);
    expect(seen.field('x-mixed-case')).toBe('Value');
    expect(seen.field('x-hop')).toBeUndefined();
    expect(seen.field('content-length')).toBe('7');
    expect(seen.json()).toEqual({ a: 1 });
  });

  test('a chunked response with trailers becomes DATA and END_STREAM', async ({ stage }) => {
    const front = await stage.front(
      answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: t\r\n\r\n'),
    );
    const client = await connectH2(front);
    const seen = await client.fetch();
    expect([seen.status, seen.body.toString(), seen.ended, seen.reset]).toEqual([200, 'hello world', true, null]);
    expect(seen.field('content-length')).toBeUndefined();
  });

  test('HEAD: Content-Length and no body', async ({ stage }) => {
    const front = await stage.front(answer('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'));
    const client = await connectH2(front);
    const seen = await client.fetch({ ':method': 'HEAD' });
    expect([seen.status, seen.field('content-length'), seen.body.length, seen.ended]).toEqual([200, '1234', 0, true]);
  });

  test.for([204, 304])('%i has no body and ends', async (status, { stage }) => {
    const front = await stage.front(answer(`HTTP/1.1 ${String(status)} None\r\nETag: "x"\r\n\r\n`));
    const client = await connectH2(front);
    const seen = await client.fetch();
    expect([seen.status, seen.body.length, seen.ended, seen.reset]).toEqual([status, 0, true, null]);
    expect(seen.field('etag')).toBe('"x"');
    expect(seen.field('content-length')).toBeUndefined();
  });

  test('103 is passed on before the response; END_STREAM only on the last', async ({ stage }) => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';
    const front = await stage.front(answer(early + response(200)));
    const client = await connectH2(front);
    const seen = await client.fetch();
    expect(seen.informational).toEqual([
      [
        [':status', '103'],
        ['link', '</a.css>; rel=preload'],
      ],
    ]);
    expect([seen.status, seen.body.toString()]).toEqual([200, '{}']);
  });

  test('101 from an upstream that was not asked for it is no response', async ({ stage }) => {
    const front = await stage.front(
      answer('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    );
    const client = await connectH2(front);
    expect((await client.fetch()).status).toBe(502);
  });

  test('a response before the end of the request: whole response, then RST_STREAM(NO_ERROR)', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.write(response(403, '{"errcode":"M_FORBIDDEN"}', ['Connection: close']));
      exchange.end();
    });
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '1000000']), false);
    await client.send(data(id, 'the first part'));
    await client.until(() => client.stream(id).reset !== null, 'RST_STREAM');
    const seen = client.responseSoFar(id);
    expect([seen.status, seen.ended, seen.reset]).toEqual([403, true, ErrorCode.noError]);
    expect(seen.json()).toEqual({ errcode: 'M_FORBIDDEN' });
    // What the client had under way is read and forgotten.
    await client.send(data(id, 'more'), data(id, 'and more', Flag.endStream));
    expect((await client.fetch({ ':method': 'GET' })).status).toBe(403);
    expect(client.goaways).toEqual([]);
    expect(front.backend.requests[0]?.complete).toBe(false);
  });
});

describe('many streams', () => {
  test('a hundred at a time, each gets its own answer', async ({ stage }) => {
    const waiting: (() => void)[] = [];
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      // Nobody is answered before all have asked: so all of them are open at one time.
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 100) for (const go of waiting) go();
      });
      await exchange.write(response(200, JSON.stringify({ target: exchange.request.target })));
    });
    const client = await connectH2(front);
    const targets = Array.from({ length: 100 }, (_, index) => `${PATH}?${String(index)}`);
    const answers = await Promise.all(targets.map((target) => client.fetch({ ':path': target })));
    expect(answers.map((one) => one.json())).toEqual(targets.map((target) => ({ target })));
  });

  test('a thousand, one after the other and ten at a time, on one connection', async ({ stage }) => {
    const backend = await stage.honestBackend();
    const portico = await stage.portico({ homeserver: backend.url });
    const recording = await stage.backend();
    const front: Front = { portico, backend: recording, connect: (options) => stage.connect(portico, options) };
    const client = await connectH2(front);
    const worker = async (from: number): Promise<void> => {
      for (let index = from; index < 1000; index += 10) {
        const target = `${PATH}?${String(index)}`;
        const body = index % 2 === 0 ? undefined : 'x'.repeat(index);
        const seen = await client.fetch({ ':method': body === undefined ? 'GET' : 'PUT', ':path': target }, [], body);
        const echo = seen.json() as Echo;
        expect([seen.status, echo.url, echo.bodyLength]).toEqual([200, target, body?.length ?? 0]);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, index) => worker(index)));
    await expectHonestService(front);
  });
});

describe('a request whose last byte has come, but not its END_STREAM', () => {
  /** httpx sends END_STREAM in a frame of its own; a reset in answer to the last byte made it fail now and then. */
  test('is complete upstream, and answered without a reset', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '5']), false);
    await client.send(data(id, 'hello'));
    expect((await client.response(id)).status).toBe(200);
    expect(onlyRequest(front).complete).toBe(true);
    await client.send(data(id, '', Flag.endStream));
    await client.roundTrip();
    expect(client.stream(id).reset).toBeNull();
    expect((await client.fetch()).status).toBe(200);
    // The connection to the homeserver was used again.
    expect(front.backend.connections).toHaveLength(1);
  });

  test('also when it announces that there is nothing: content-length 0 without END_STREAM', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '0']), false);
    expect((await client.response(id)).status).toBe(200);
    expect(onlyRequest(front).complete).toBe(true);
    await client.send(data(id, '', Flag.endStream));
    await client.roundTrip();
    expect(client.stream(id).reset).toBeNull();
    await expectHonestService(front);
  });
});

describe('an answer that did not wait for the request, to a client that takes it slowly', () => {
  test.for(['10', null])('content-length %s: the rest of the request does not break it', async (length, { stage }) => {
    const body = 'x'.repeat(5000);
    const front = await stage.front(async (exchange) => {
      await exchange.write(response(200, body));
      await exchange.body();
    });
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 100]], giveBack: false });
    const fields = length === null ? [] : ([['content-length', length]] as const);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ...fields), false);
    await client.send(data(id, 'hello'));
    await client.until(() => client.stream(id).bytes === 100, 'the first bytes');
    await eventually(async () => {
      expect(await front.portico.metric('portico_requests_in_flight')).toBe(0);
    });
    await client.send(data(id, 'world', Flag.endStream));
    await client.roundTrip();
    expect(client.stream(id).reset).toBeNull();
    await client.send(windowUpdate(id, 5000));
    const seen = await client.response(id);
    expect([seen.status, seen.ended, seen.body.length]).toEqual([200, true, 5000]);
    await client.roundTrip();
    expect([null, ErrorCode.noError]).toContain(client.stream(id).reset);
    front.backend.script = async (exchange) => {
      if ((await exchange.body()) !== null) await exchange.write(response(200));
    };
    await expectHonestService(front);
  });
});
