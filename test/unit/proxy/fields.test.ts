import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFieldRecogniser, FieldId, responseFields } from '../../../src/proxy/field-names.ts';
import { DROPPED_FROM_RESPONSES, endsHere, FieldList } from '../../../src/proxy/fields.ts';
import { isClientForwardingField } from '../../../src/proxy/forwarding.ts';

const requestFields = createFieldRecogniser(isClientForwardingField);

/** The same name as bytes with others around it, and as a string: both must mean the same. */
function recognise(name: string): number {
  const id = requestFields.ofName(name);
  expect(requestFields.ofBytes(Buffer.from(`Host: ${name}: Host`, 'latin1'), 6, 6 + name.length)).toBe(id);
  return id;
}

const MEANINGS: [name: string, id: keyof typeof FieldId][] = [
  ['host', 'host'],
  ['content-length', 'contentLength'],
  ['transfer-encoding', 'transferEncoding'],
  ['connection', 'connection'],
  ['upgrade', 'upgrade'],
  ['expect', 'expect'],
  ['authorization', 'authorization'],
  ['keep-alive', 'hopByHop'],
  ['proxy-connection', 'hopByHop'],
  ['proxy-authenticate', 'hopByHop'],
  ['proxy-authorization', 'hopByHop'],
  ['te', 'hopByHop'],
  ['trailer', 'hopByHop'],
  ['http2-settings', 'http2Settings'],
  ['accept', 'accept'],
  ['if-none-match', 'ifNoneMatch'],
  ['sec-websocket-key', 'secWebSocketKey'],
  ['sec-websocket-version', 'secWebSocketVersion'],
  ['x-forwarded-for', 'xForwardedFor'],
  ['x-forwarded-host', 'forwarding'],
  ['forwarded', 'forwarding'],
  ['x-real-ip', 'forwarding'],
  ['content_length', 'forwarding'],
  ['transfer_encoding', 'forwarding'],
  ['x_forwarded_for', 'forwarding'],
  ['cookie', 'other'],
  ['user-agent', 'other'],
  ['synapse-trace-id', 'other'],
  ['accept-encoding', 'other'],
  ['hosts', 'other'],
  ['__proto__', 'forwarding'],
  ['constructor', 'other'],
  ['tostring', 'other'],
  ['', 'other'],
];

/** A name in any case. */
function spellings(name: string): fc.Arbitrary<string> {
  return fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }).map((upper) =>
    name
      .split(/(?:)/)
      .map((char, at) => (upper[at] === true ? char.toUpperCase() : char))
      .join(''),
  );
}

describe('createFieldRecogniser', () => {
  it.for(MEANINGS)('%s is %s, in any spelling', ([name, id]) => {
    fc.assert(
      fc.property(spellings(name), (spelling) => {
        expect(recognise(spelling)).toBe(FieldId[id]);
      }),
      { numRuns: 40 },
    );
  });

  it('asks the rule for forwarding fields in lower case', () => {
    const asked: string[] = [];
    const own = createFieldRecogniser((name) => asked.push(name) > 0);
    expect(own.ofName('X-What-Ever')).toBe(FieldId.forwarding);
    expect(own.ofBytes(Buffer.from('X-What-Ever'), 0, 11)).toBe(FieldId.forwarding);
    expect(own.ofName('HOST')).toBe(FieldId.host);
    expect(asked).toEqual(['x-what-ever', 'x-what-ever']);
  });

  it('knows no forwarding fields in responses', () => {
    const ofResponse = (name: string): number => {
      const id = responseFields.ofName(name);
      expect(responseFields.ofBytes(Buffer.from(name), 0, name.length)).toBe(id);
      return id;
    };
    expect(ofResponse('X-Real-IP')).toBe(FieldId.other);
    expect(ofResponse('X_Y')).toBe(FieldId.other);
    expect(ofResponse('Content-Length')).toBe(FieldId.contentLength);
  });

  it('means the same by bytes and by name, whatever the name', () => {
    const letters = fc.constantFrom(
      'a',
      'C',
      'e',
      'E',
      'h',
      'H',
      'n',
      'o',
      'O',
      's',
      'S',
      't',
      'T',
      '-',
      '_',
      '\x0d',
      '\x7f',
      '1',
    );
    const name = fc.oneof(
      fc.array(letters, { maxLength: 24 }).map((parts) => parts.join('')),
      // A known name with one byte changed.
      fc
        .tuple(fc.constantFrom(...MEANINGS.map(([known]) => known)), fc.nat(30), letters)
        .map(([known, at, letter]) => known.slice(0, at) + letter + known.slice(at + 1)),
    );
    fc.assert(fc.property(name, (text) => recognise(text) >= 0));
  });
});

describe('FieldList', () => {
  it('keeps fields in order, and finds them by meaning', () => {
    const fields = new FieldList();
    expect(fields).toHaveLength(0);
    expect(fields.first(FieldId.host)).toBeNull();
    fields.add(FieldId.other, 'A', '1');
    fields.add(FieldId.xForwardedFor, 'X-Forwarded-For', '');
    fields.add(FieldId.xForwardedFor, 'x-forwarded-for', '2');
    expect(fields).toHaveLength(3);
    expect(fields.first(FieldId.xForwardedFor)).toBe('');
    expect(fields.all(FieldId.xForwardedFor)).toEqual(['', '2']);
    expect(fields.all(FieldId.host)).toEqual([]);
    expect([0, 1, 2].map((index) => [fields.id(index), fields.name(index), fields.value(index)])).toEqual([
      [FieldId.other, 'A', '1'],
      [FieldId.xForwardedFor, 'X-Forwarded-For', ''],
      [FieldId.xForwardedFor, 'x-forwarded-for', '2'],
    ]);
  });

  it('writes each line with one space, however it came, and mixes parsed and added ones in order', () => {
    const text = 'GET / HTTP/1.1\r\nA: 1\r\nB:2\r\nC:\t3\r\nD: 4 \r\nE: \r\nF:\r\nG: 7\r\nH: 8\r\n\r\n';
    const fields = new FieldList(text);
    const line = /^([A-H]):[ \t]*(.*?)[ \t]*$/gm;
    for (const match of text.replaceAll('\r', ' ').matchAll(line)) {
      const [, name = '', value = ''] = match;
      const start = match.index;
      const valueStart = value === '' ? start + (text[start + 2] === ' ' ? 3 : 2) : text.indexOf(value, start + 2);
      if (name === 'G') fields.add(FieldId.other, 'X', 'between');
      const id = name === 'H' ? FieldId.hopByHop : FieldId.other;
      fields.addAt(id, start, start + 1, valueStart, valueStart + value.length);
    }
    expect(fields.lines(DROPPED_FROM_RESPONSES, null)).toBe(
      'A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: \r\nX: between\r\nG: 7\r\n',
    );
    expect(fields.lines(DROPPED_FROM_RESPONSES, ['a', 'e', 'x'])).toBe('B: 2\r\nC: 3\r\nD: 4\r\nF: \r\nG: 7\r\n');
  });
});

describe('endsHere (RFC 9110 §7.6.1)', () => {
  it.for<[name: string, listed: string[] | null, ends: boolean]>([
    ['Connection', null, true],
    ['Keep-Alive', null, true],
    ['TE', null, true],
    ['Trailer', null, true],
    ['Transfer-Encoding', null, true],
    ['Content-Length', null, true],
    ['Upgrade', null, true],
    ['Proxy-Authorization', null, true],
    ['HTTP2-Settings', null, true],
    ['X-A', null, false],
    ['X-A', ['x-b'], false],
    ['X-A', ['x-a'], true],
    ['Accept', ['accept'], true],
    ['If-None-Match', ['if-none-match'], true],
    // Never dropped on a stranger's word.
    ['Host', ['host'], false],
    ['Authorization', ['authorization'], false],
    ['Sec-WebSocket-Key', ['sec-websocket-key'], false],
  ])('%s with %j listed: %s', ([name, listed, ends]) => {
    expect(endsHere(DROPPED_FROM_RESPONSES, recognise(name), name, listed)).toBe(ends);
  });
});
