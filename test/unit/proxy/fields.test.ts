import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFieldRecogniser, FieldId, FieldList, recogniseResponseField } from '../../../src/proxy/fields.ts';
import { isClientForwardingField } from '../../../src/proxy/forwarding.ts';
import { endsHere } from '../../../src/proxy/upstream/request-head.ts';

const recognise = createFieldRecogniser(isClientForwardingField);

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
    expect(own('X-What-Ever')).toBe(FieldId.forwarding);
    expect(own('HOST')).toBe(FieldId.host);
    expect(asked).toEqual(['x-what-ever']);
  });

  it('knows no forwarding fields in responses', () => {
    expect(recogniseResponseField('X-Real-IP')).toBe(FieldId.other);
    expect(recogniseResponseField('X_Y')).toBe(FieldId.other);
    expect(recogniseResponseField('Content-Length')).toBe(FieldId.contentLength);
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
    expect([fields.ids, fields.names, fields.values]).toEqual([
      [FieldId.other, FieldId.xForwardedFor, FieldId.xForwardedFor],
      ['A', 'X-Forwarded-For', 'x-forwarded-for'],
      ['1', '', '2'],
    ]);
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
    expect(endsHere(recognise(name), name, listed)).toBe(ends);
  });
});
