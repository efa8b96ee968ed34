/**
 * Field sections (RFC 9113 §8.1.1, §8.2, §8.3): what is malformed costs the stream PROTOCOL_ERROR and reaches nobody; the
 * connection and its other streams go on.
 */
import { describe, expect } from 'vitest';
import { PATH, connectH2, expectHonestService, expectReset, requestFields } from '../helpers/h2-client.ts';
import { ErrorCode, Flag, data, headerBlock, headers } from '../helpers/h2-frames.ts';
import type { H2Field } from '../helpers/h2-frames.ts';
import { test } from '../helpers/stage.ts';

const HONEST = requestFields();
const without = (name: string): H2Field[] => HONEST.filter(([key]) => key !== name);

const PSEUDO: readonly (readonly [string, readonly H2Field[]])[] = [
  ['no :method', without(':method')],
  ['no :scheme', without(':scheme')],
  ['no :path', without(':path')],
  ['neither :authority nor host', without(':authority')],
  ['no fields at all', []],
  ['two :method', [[':method', 'GET'], ...HONEST]],
  ['two :path', [...HONEST, [':path', PATH]]],
  ['two :scheme', [...HONEST, [':scheme', 'https']]],
  ['two :authority', [...HONEST, [':authority', 'example.test']]],
  ['a pseudo-header field after a regular one', [...without(':path'), ['x-a', 'b'], [':path', PATH]]],
  ['an unknown pseudo-header field', [...HONEST, [':magic', '1']]],
  [':status in a request', [...HONEST, [':status', '200']]],
  [':protocol, which was not offered', requestFields({ ':method': 'CONNECT', ':protocol': 'websocket' })],
  [':protocol on a GET', [...HONEST, [':protocol', 'websocket']]],
  ['an empty pseudo-header name', [...HONEST, [':', 'x']]],
  ['an empty :method', requestFields({ ':method': '' })],
  [':method with a space', requestFields({ ':method': 'GET /x HTTP/1.1' })],
  [':method with CRLF', requestFields({ ':method': 'GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET' })],
  ['an empty :path', requestFields({ ':path': '' })],
  [':path without a slash', requestFields({ ':path': '_matrix/client/versions' })],
  [':path in absolute form', requestFields({ ':path': `https://example.test${PATH}` })],
  [':path * on a GET', requestFields({ ':path': '*' })],
  [':path with a space', requestFields({ ':path': `${PATH} HTTP/1.1` })],
  [':path with CRLF', requestFields({ ':path': `${PATH} HTTP/1.1\r\nX-Injected: 1` })],
  [':path with NUL', requestFields({ ':path': `${PATH}\0` })],
  [':path with TAB', requestFields({ ':path': `${PATH}\t` })],
  [':path with a fragment', requestFields({ ':path': `${PATH}#fragment` })],
  [':path with a byte of 0x80 or more', requestFields({ ':path': `${PATH}/\xc3\xa4` })],
  [':path with DEL', requestFields({ ':path': `${PATH}\x7f` })],
  [':scheme with CRLF', requestFields({ ':scheme': 'https\r\nX-Injected: 1' })],
  ['an empty :scheme', requestFields({ ':scheme': '' })],
  ['an empty :authority', requestFields({ ':authority': '' })],
  [':authority unlike host', [...HONEST, ['host', 'other.test']]],
  ['two hosts', [...without(':authority'), ['host', 'example.test'], ['host', 'other.test']]],
  ['two equal hosts', [...HONEST, ['host', 'example.test'], ['host', 'example.test']]],
]; // prettier-ignore

const FIELDS: readonly (readonly [string, H2Field])[] = [
  ['an upper-case name', ['X-Upper', 'v']],
  ['one upper-case letter', ['x-uppeR', 'v']],
  ['an empty name', ['', 'v']],
  ['a name with a space', ['x a', 'v']],
  ['a name with a space at the end', ['x-a ', 'v']],
  ['a name with a colon', ['x:a', 'v']],
  ['a name with CRLF', ['x-a\r\nx-injected', 'v']],
  ['a name with NUL', ['x-a\0', 'v']],
  ['a name with a byte of 0x80 or more', ['x-\xe4', 'v']],
  ['a name with DEL', ['x-a\x7f', 'v']],
  ['a value with CRLF', ['x-a', 'v\r\nX-Injected: 1']],
  ['a value with LF', ['x-a', 'v\nX-Injected: 1']],
  ['a value with CR', ['x-a', 'v\rX-Injected: 1']],
  ['a value with NUL', ['x-a', 'v\0v']],
  ['a value of CRLF alone', ['x-a', '\r\n']],
  ['a value with a space before', ['x-a', ' v']],
  ['a value with a space after', ['x-a', 'v ']],
  ['a value with a TAB before', ['x-a', '\tv']],
  ['a value with a TAB after', ['x-a', 'v\t']],
  ['connection', ['connection', 'close']],
  ['connection: keep-alive', ['connection', 'keep-alive']],
  ['keep-alive', ['keep-alive', 'timeout=5']],
  ['proxy-connection', ['proxy-connection', 'keep-alive']],
  ['transfer-encoding', ['transfer-encoding', 'chunked']],
  ['upgrade', ['upgrade', 'websocket']],
  ['te: gzip', ['te', 'gzip']],
  ['te: trailers, deflate', ['te', 'trailers, deflate']],
  ['content-length of a word', ['content-length', 'ten']],
  ['content-length with a sign', ['content-length', '+5']],
  ['content-length below zero', ['content-length', '-5']],
  ['a content-length list', ['content-length', '5, 5']],
  ['content-length in hex', ['content-length', '0x5']],
  ['an empty content-length', ['content-length', '']],
  ['content-length of 2^64', ['content-length', '18446744073709551616']],
]; // prettier-ignore

describe('malformed requests', () => {
  test.for(PSEUDO)('%s: PROTOCOL_ERROR', async ([, fields], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(fields);
    await expectReset(client, id, ErrorCode.protocolError);
    expect((await client.fetch({ ':path': `${PATH}?after` })).status).toBe(200);
    expect(front.backend.executed()).toEqual([`GET ${PATH}?after`]);
  });

  test.for(FIELDS)('%s: PROTOCOL_ERROR', async ([, field], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    // With a body to come, so that a length is not refused for having none.
    const id = await client.open(requestFields({ ':method': 'PUT' }, field), false);
    await expectReset(client, id, ErrorCode.protocolError);
    await client.send(data(id, 'hello', Flag.endStream));
    expect((await client.fetch({ ':path': `${PATH}?after` })).status).toBe(200);
    expect(front.backend.executed()).toEqual([`GET ${PATH}?after`]);
    expect(front.backend.text()).not.toMatch(/injected/i);
  });

  test('two content-lengths, equal or not: PROTOCOL_ERROR', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    for (const second of ['5', '6']) {
      const fields = requestFields({ ':method': 'PUT' }, ['content-length', '5'], ['content-length', second]);
      await expectReset(client, await client.open(fields, false), ErrorCode.protocolError);
    }
    expect(front.backend.text()).toBe('');
  });

  const TRAILERS: readonly (readonly [string, readonly H2Field[]])[] = [
    ['a pseudo-header field', [[':path', '/other']]],
    ['an unknown pseudo-header field', [[':magic', '1']]],
    ['an upper-case name', [['X-Upper', 'v']]],
    ['CRLF in a value', [['x-a', 'v\r\nX-Injected: 1']]],
    ['a connection field', [['connection', 'close']]],
    ['transfer-encoding', [['transfer-encoding', 'chunked']]],
  ];
  test.for(TRAILERS)(
    '%s in trailers: PROTOCOL_ERROR, and the request is not whole',
    async ([, trailers], { stage }) => {
      const front = await stage.front();
      const client = await connectH2(front);
      const id = await client.open(requestFields({ ':method': 'PUT' }), false);
      await client.send(data(id, 'body'), headers(id, headerBlock(trailers)));
      await expectReset(client, id, ErrorCode.protocolError);
      await expectHonestService(front);
      expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
    },
  );

  test('a second HEADERS without END_STREAM: PROTOCOL_ERROR, and the request is not whole', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(data(id, 'body'), headers(id, headerBlock([['x-a', 'b']]), Flag.endHeaders));
    await expectReset(client, id, ErrorCode.protocolError);
    await expectHonestService(front);
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
  });
});

describe('requests that are fine', () => {
  const FINE: readonly (readonly [string, H2Field])[] = [
    ['te: trailers', ['te', 'trailers']],
    ['an empty value', ['x-empty', '']],
    ['spaces and TABs inside a value', ['x-inner', 'a b\tc']],
    ['bytes of 0x80 and more in a value', ['x-high', 'gr\xc3\xbc\xc3\x9fe']],
    ['every other visible character in a value', ['x-visible', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~']],
    ['every token character in a name', ["!#$%&'*+-.^`|~09az", 'v']],
    ['__proto__', ['__proto__', 'polluted']],
    ['constructor', ['constructor', 'polluted']],
    ['a host equal to :authority', ['host', 'example.test']],
    ['an unknown priority', ['priority', 'u=9, i, nonsense=?1']],
  ];
  test.for(FINE)('%s', async ([, [name, value]], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch({}, [[name, value]])).status).toBe(200);
    const [request] = front.backend.requests;
    // Names with an underscore may be twins of forwarding fields to what is behind; none goes on.
    const dropped = name === 'te' || name.includes('_');
    expect(request?.values(name)).toEqual(dropped ? [] : [value]);
    expect(request?.values('host')).toEqual(['example.test']);
  });

  test.for([
    `${PATH}/%2F%2f/..;/x//y/./z?a=b&c=%00+d`,
    '/_matrix/client/v3/rooms/!r:x/state/m.a/%F0%9F%98%80',
    `${PATH}?"<>\\^\`{|}`,
  ])(':path %s goes through byte for byte', async (target, { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch({ ':path': target })).status).toBe(200);
    expect(front.backend.requests.map((one) => one.target)).toEqual([target]);
  });

  test('an upper-case :authority with a port is the same site', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch({ ':authority': 'EXAMPLE.test:443' })).status).toBe(200);
  });
});

describe('refused, as over HTTP/1', () => {
  const HOSTS = [
    'user@example.test',
    'user:pass@example.test',
    'example.test/x',
    'example.test?x',
    'exa mple.test',
    'a,b',
  ];
  test.for(HOSTS)(':authority %s: 400 or a reset, never upstream', async (authority, { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const seen = await client.fetch({ ':authority': authority });
    if (seen.reset === null) expect(seen.status).toBe(400);
    else expect([seen.reset, seen.status]).toEqual([ErrorCode.protocolError, 0]);
    expect(front.backend.text()).toBe('');
    expect((await client.fetch()).status).toBe(200);
  });

  test.for(['\r\nX-Injected: 1', '\0', ' '])(':authority with %j at its end', async (end, { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const seen = await client.fetch({ ':authority': `example.test${end}` });
    if (seen.reset === null) expect(seen.status).toBe(400);
    else expect(seen.reset).toBe(ErrorCode.protocolError);
    expect(front.backend.text()).toBe('');
  });

  test('CONNECT: refused, nothing upstream', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    for (const fields of [
      [[':method', 'CONNECT'], [':authority', 'example.test:443']],
      requestFields({ ':method': 'CONNECT' }),
    ] as readonly (readonly H2Field[])[]) {
      const seen = await client.response(await client.open(fields, false));
      if (seen.reset === null || seen.status !== 0) expect([400, 405, 501]).toContain(seen.status);
      else expect([ErrorCode.protocolError, ErrorCode.refusedStream]).toContain(seen.reset);
    } // prettier-ignore
    expect(front.backend.text()).toBe('');
  });

  test('OPTIONS *: answered or refused, never relayed as a path', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const seen = await client.fetch({ ':method': 'OPTIONS', ':path': '*' });
    expect(seen.reset).toBeNull();
    expect(seen.status).toBeGreaterThanOrEqual(200);
    expect(front.backend.text()).not.toContain('GET');
    expect((await client.fetch()).status).toBe(200);
  });

  test('a list of fields beyond max_head: 431 or a reset; the connection goes on', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.limits.max_head = '4KiB'));
    const client = await connectH2(front);
    for (const fields of [
      requestFields({}, ['x-long', 'v'.repeat(5000)]),
      requestFields({}, ...Array.from({ length: 90 }, (_, index): H2Field => [`x-${String(index)}`, 'v'.repeat(50)])),
    ]) {
      const seen = await client.response(await client.open(fields));
      if (seen.reset === null || seen.status !== 0) expect(seen.status).toBe(431);
      else expect([ErrorCode.protocolError, ErrorCode.enhanceYourCalm]).toContain(seen.reset);
    }
    expect(front.backend.text()).toBe('');
    expect((await client.fetch()).status).toBe(200);
    expect(client.goaways).toEqual([]);
  });

  test('more fields than max_fields: 431', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.limits.max_fields = 20));
    const client = await connectH2(front);
    const fields = Array.from({ length: 30 }, (_, index): H2Field => [`x-${String(index)}`, 'v']);
    expect((await client.fetch({}, fields)).status).toBe(431);
    // Crumbs are fields as well: they are joined, but not for free.
    expect((await client.fetch()).status).toBe(200);
    expect(front.backend.requests).toHaveLength(1);
  });

  test('a :path beyond max_target: 414', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.limits.max_target = '256B'));
    const client = await connectH2(front);
    expect((await client.fetch({ ':path': `${PATH}?${'x'.repeat(300)}` })).status).toBe(414);
    expect((await client.fetch()).status).toBe(200);
  });
});
