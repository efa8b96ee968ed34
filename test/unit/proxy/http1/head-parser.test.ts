import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldId } from '../../../../src/proxy/fields.ts';
import type { Http1RequestHead, Http1ResponseHead } from '../../../../src/proxy/http1/head-parser.ts';
import {
  cutHead,
  damaged,
  linesOf,
  meaningOf,
  pairsOf,
  parseRequest,
  parseResponse,
  requestHead,
  requestParts,
  responseHead,
  serialised,
  textOf,
} from './heads.ts';

const GET = 'GET / HTTP/1.1\r\nHost: example.com\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: example.com\r\n';

describe('parseRequestHead: what it refuses', () => {
  it.for<[rule: string, text: string, code: string]>([
    // RFC 9112 §3: method SP request-target SP HTTP-version CRLF, single spaces.
    ['no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['an empty line first', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a method with a separator', 'GE(T / HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a method with a byte from 0x80 up', 'G\xcbT / HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a method and nothing else', 'GET\r\n\r\n', 'BAD_REQUEST'],
    ['two spaces before the target', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['two spaces after the target', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a tab for a space', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['an empty target', 'GET  HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a target with a space', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a target with a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a target with NUL', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a target with DEL', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a target with a byte from 0x80 up', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    // RFC 9112 §2.3
    ['no version (HTTP/0.9)', 'GET /\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version 0.9', 'GET / HTTP/0.9\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version 1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version 1.10', 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version 1.', 'GET / HTTP/1.\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version 2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['version in lower case', 'GET / http/1.1\r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['a space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    // RFC 9112 §2.2: no bare CR, no bare LF
    ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['bare CR after the request line', 'GET / HTTP/1.1\rHost: a\r\n\r\n', 'BAD_REQUEST'],
    ['bare LF after a field', `${GET}A: b\nC: d\r\n\r\n`, 'BAD_REQUEST'],
    ['bare CR after a field', `${GET}A: b\rC: d\r\n\r\n`, 'BAD_REQUEST'],
    ['CR CR LF after a field', `${GET}A: b\r\r\nC: d\r\n\r\n`, 'BAD_REQUEST'],
    ['bare LF within a value', `${GET}A: b\n c\r\n\r\n`, 'BAD_REQUEST'],
    // RFC 9112 §5
    ['whitespace before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 'BAD_REQUEST'],
    ['a folded line (§5.2)', `${GET}A: b\r\n c\r\n\r\n`, 'BAD_REQUEST'],
    ['a line folded with a tab', `${GET}A: b\r\n\tc\r\n\r\n`, 'BAD_REQUEST'],
    ['a space before the colon (§5.1)', `${GET}A : b\r\n\r\n`, 'BAD_REQUEST'],
    ['a tab before the colon', `${GET}A\t: b\r\n\r\n`, 'BAD_REQUEST'],
    ['an empty name', `${GET}: b\r\n\r\n`, 'BAD_REQUEST'],
    ['a line without a colon', `${GET}A\r\n\r\n`, 'BAD_REQUEST'],
    ['a name with a separator', `${GET}A(b): c\r\n\r\n`, 'BAD_REQUEST'],
    ['a name with NUL', `${GET}A\0: c\r\n\r\n`, 'BAD_REQUEST'],
    ['a name with a byte from 0x80 up', `${GET}\xc4: c\r\n\r\n`, 'BAD_REQUEST'],
    // RFC 9110 §5.5
    ['a value with NUL', `${GET}A: b\0c\r\n\r\n`, 'BAD_REQUEST'],
    ['a value with DEL', `${GET}A: b\x7fc\r\n\r\n`, 'BAD_REQUEST'],
    ['a value with a vertical tab', `${GET}A: b\x0bc\r\n\r\n`, 'BAD_REQUEST'],
    ['a value with ESC', `${GET}A: \x1b[2J\r\n\r\n`, 'BAD_REQUEST'],
    // Limits
    ['a target over the limit', `GET /${'a'.repeat(256)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'TARGET_TOO_LONG'],
    ['more fields than the limit', `${GET}${'A: b\r\n'.repeat(20)}\r\n`, 'HEAD_TOO_LARGE'],
    // RFC 9112 §3.2
    ['no Host', 'GET / HTTP/1.1\r\nA: b\r\n\r\n', 'HOST_INVALID'],
    ['no fields at all', 'GET / HTTP/1.1\r\n\r\n', 'HOST_INVALID'],
    ['no Host with HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'HOST_INVALID'],
    ['two Hosts', `${GET}Host: other.example\r\n\r\n`, 'HOST_INVALID'],
    ['two equal Hosts', `${GET}host: example.com\r\n\r\n`, 'HOST_INVALID'],
    ['an empty Host and another', 'GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n', 'HOST_INVALID'],
    // RFC 9112 §6.1 to §6.3, RFC 9110 §8.6
    ['both framings', `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 'BAD_FRAMING'],
    ['both framings, the other way round', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 'BAD_FRAMING'],
    ['two lengths', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 'BAD_FRAMING'],
    ['two equal lengths', `${POST}Content-Length: 5\r\ncontent-length: 5\r\n\r\n`, 'BAD_FRAMING'],
    ['a list of lengths', `${POST}Content-Length: 5, 5\r\n\r\n`, 'BAD_FRAMING'],
    ['an empty length', `${POST}Content-Length:\r\n\r\n`, 'BAD_FRAMING'],
    ['a length with a sign', `${POST}Content-Length: +5\r\n\r\n`, 'BAD_FRAMING'],
    ['a negative length', `${POST}Content-Length: -5\r\n\r\n`, 'BAD_FRAMING'],
    ['a hexadecimal length', `${POST}Content-Length: 0x5\r\n\r\n`, 'BAD_FRAMING'],
    ['a length with a fraction', `${POST}Content-Length: 5.0\r\n\r\n`, 'BAD_FRAMING'],
    ['a length with an underscore', `${POST}Content-Length: 1_0\r\n\r\n`, 'BAD_FRAMING'],
    ['a length with a space inside', `${POST}Content-Length: 1 0\r\n\r\n`, 'BAD_FRAMING'],
    ['a length beyond what can be counted', `${POST}Content-Length: 9999999999999999\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked twice', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked twice in a list', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`, 'BAD_FRAMING'],
    ['a coding beside chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked not last', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n`, 'BAD_FRAMING'],
    ['identity', `${POST}Transfer-Encoding: identity\r\n\r\n`, 'BAD_FRAMING'],
    ['an unknown coding', `${POST}Transfer-Encoding: xchunked\r\n\r\n`, 'BAD_FRAMING'],
    ['an empty coding', `${POST}Transfer-Encoding:\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked with a no-break space', `${POST}Transfer-Encoding: \xa0chunked\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked with a parameter', `${POST}Transfer-Encoding: chunked;q=1\r\n\r\n`, 'BAD_FRAMING'],
    ['a quoted chunked', `${POST}Transfer-Encoding: "chunked"\r\n\r\n`, 'BAD_FRAMING'],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 'BAD_FRAMING'],
    // RFC 9110 §10.1.1
    ['an unknown expectation', `${POST}Expect: coffee\r\nContent-Length: 5\r\n\r\n`, 'EXPECTATION_FAILED'],
    ['one expectation too many', `${POST}Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n\r\n`, 'EXPECTATION_FAILED'],
  ])('%s', ([, text, code]) => {
    expect(parseRequest(text)).toBe(code);
  }); // prettier-ignore

  it('tells a target that is too long even when the rest of the line is missing', () => {
    expect(parseRequest(`GET /${'a'.repeat(300)}\r\n\r\n`)).toBe('TARGET_TOO_LONG');
  });
});

describe('parseRequestHead: what it reads', () => {
  it.for<[what: string, text: string, expected: Partial<Http1RequestHead>]>([
    ['a plain request', `${GET}\r\n`, { method: 'GET', target: '/', authority: 'example.com', minor: 1, bodyLength: 0, chunked: false, keepAlive: true, connectionNames: null, websocket: false, otherUpgrade: false, expectsContinue: false }],
    ['methods in their own spelling', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', { method: 'get' }],
    ['any token as method', "M-S'EARCH!~ / HTTP/1.1\r\nHost: a\r\n\r\n", { method: "M-S'EARCH!~" }],
    ['a target byte for byte', 'GET //a/../%2e%2E/{b}|^"<>\\`?c[]=%zz HTTP/1.1\r\nHost: a\r\n\r\n', { target: '//a/../%2e%2E/{b}|^"<>\\`?c[]=%zz' }],
    ['absolute and asterisk forms, for the router to judge', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', { target: '*' }],
    ['a target of exactly the limit', `GET /${'a'.repeat(255)} HTTP/1.1\r\nHost: a\r\n\r\n`, { target: `/${'a'.repeat(255)}` }],
    ['an empty Host, for the router to judge', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', { authority: '' }],
    ['Host in any case, without its blanks', 'GET / HTTP/1.1\r\nhOST: \t a:8448 \t\r\n\r\n', { authority: 'a:8448' }],
    ['HTTP/1.0, whose connection ends', 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n', { minor: 0, keepAlive: false }],
    ['Connection: close', `${GET}Connection: close\r\n\r\n`, { keepAlive: false, connectionNames: null }],
    ['close in a list, in any case', `${GET}Connection: keep-alive ,\t CLOSE\r\n\r\n`, { keepAlive: false, connectionNames: null }],
    ['close in a second field', `${GET}Connection: keep-alive\r\nConnection: close\r\n\r\n`, { keepAlive: false }],
    ['empty elements of a list (RFC 9110 §5.6.1)', `${GET}Connection: , ,a,,B,\r\n\r\n`, { connectionNames: ['a', 'b'], keepAlive: true }],
    ['names of several Connection fields', `${GET}Connection: a, close\r\nConnection: Keep-Alive, c\r\n\r\n`, { connectionNames: ['a', 'c'], keepAlive: false }],
    ['a length', `${POST}Content-Length: 5\r\n\r\n`, { bodyLength: 5, chunked: false }],
    ['a length of 0', `${POST}Content-Length: 0\r\n\r\n`, { bodyLength: 0 }],
    ['a length with leading zeros', `${POST}Content-Length: 007\r\n\r\n`, { bodyLength: 7 }],
    ['the greatest length', `${POST}Content-Length: 999999999999999\r\n\r\n`, { bodyLength: 999_999_999_999_999 }],
    ['chunked in any case', `${POST}TRANSFER-ENCODING: Chunked\r\n\r\n`, { bodyLength: -1, chunked: true }],
    ['Expect with a body', `${POST}Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n`, { expectsContinue: true }],
    ['Expect with a chunked body', `${POST}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n`, { expectsContinue: true }],
    ['Expect without a body means nothing', `${POST}Expect: 100-continue\r\n\r\n`, { expectsContinue: false }],
    ['Expect of HTTP/1.0 means nothing', 'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n', { expectsContinue: false }],
  ])('%s', ([, text, expected]) => {
    expect(requestHead(text)).toMatchObject(expected);
  }); // prettier-ignore

  it('keeps order, spelling and repeats of fields, and trims only blanks', () => {
    const head = requestHead(
      `${GET}X-b:1\r\nx-B: \t 2 \t\r\nEmpty:\r\nBytes: \xa0\xe9 \t \xff\r\nColon: a:b: c\r\n\r\n`,
    );
    expect(pairsOf(head.fields)).toEqual([
      ['Host', 'example.com'],
      ['X-b', '1'],
      ['x-B', '2'],
      ['Empty', ''],
      ['Bytes', '\xa0\xe9 \t \xff'],
      ['Colon', 'a:b: c'],
    ]);
  });

  it('takes as many fields as the limit says', () => {
    expect(requestHead(`${GET}${'A: b\r\n'.repeat(19)}\r\n`).fields).toHaveLength(20);
  });
});

describe('parseRequestHead: WebSocket upgrades (RFC 6455 §4.2.1)', () => {
  const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const VERSION = 'Sec-WebSocket-Version: 13\r\n';
  const ASK = 'Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n';

  it('recognises a well-formed one', () => {
    expect(requestHead(`${GET}${ASK}${KEY}${VERSION}\r\n`)).toMatchObject({ websocket: true, otherUpgrade: false });
  });

  it.for<[string, string]>([
    ['of another method', `${POST}${ASK}${KEY}${VERSION}\r\n`],
    ['of HTTP/1.0', `GET / HTTP/1.0\r\nHost: a\r\n${ASK}${KEY}${VERSION}\r\n`],
    ['without Connection: upgrade', `${GET}Upgrade: websocket\r\n${KEY}${VERSION}\r\n`],
    ['to another protocol', `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n${KEY}${VERSION}\r\n`],
    ['with a choice of protocols', `${GET}Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n${KEY}${VERSION}\r\n`],
    ['with two Upgrade fields', `${GET}${ASK}Upgrade: websocket\r\n${KEY}${VERSION}\r\n`],
    ['without a key', `${GET}${ASK}${VERSION}\r\n`],
    ['with two keys', `${GET}${ASK}${KEY}${KEY}${VERSION}\r\n`],
    ['with a key of 15 bytes', `${GET}${ASK}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n${VERSION}\r\n`],
    ['with a key that is no base64', `${GET}${ASK}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n${VERSION}\r\n`],
    ['without a version', `${GET}${ASK}${KEY}\r\n`],
    ['of version 8', `${GET}${ASK}${KEY}Sec-WebSocket-Version: 8\r\n\r\n`],
    ['with two versions', `${GET}${ASK}${KEY}${VERSION}${VERSION}\r\n`],
    ['with a length', `${GET}${ASK}${KEY}${VERSION}Content-Length: 0\r\n\r\n`],
    ['with a chunked body', `${GET}${ASK}${KEY}${VERSION}Transfer-Encoding: chunked\r\n\r\n`],
  ])('is none %s', ([, text]) => {
    expect(requestHead(text)).toMatchObject({ websocket: false, otherUpgrade: true });
  });

  it('is asked for upstream only when it is well-formed', () => {
    expect(serialised(requestHead(`${GET}${ASK}${KEY}${VERSION}\r\n`))).toContain(
      '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
    );
    expect(serialised(requestHead(`${GET}${ASK}${VERSION}\r\n`))).not.toMatch(/\r\n(?:connection|upgrade):/i);
  });
});

/** Fields of which the upstream gets Portico's own, or none at all. */
const ENDS_HERE =
  /^(?:keep-alive|proxy-connection|proxy-authorization|te|trailer|http2-settings|forwarded|x-original-url|.*_.*)$/;
const OWN = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip', 'x-request-id'];

/** Holds what goes upstream against the head it was made from. */
function checkUpstream(head: Http1RequestHead): void {
  const text = serialised(head);
  expect(cutHead(text)).toBe(text);
  const again = parseRequest(text, { maxTargetBytes: 256, maxFields: 40 });
  if (typeof again === 'string')
    throw new Error(`what goes upstream is refused with ${again}: ${JSON.stringify(text)}`);
  expect(meaningOf(again)).toEqual(meaningOf(head));
  expect(again).toMatchObject({ minor: 1, websocket: head.websocket, expectsContinue: head.expectsContinue });

  const names = pairsOf(again.fields).map(([name]) => name.toLowerCase());
  expect(names.filter((name) => name === 'content-length' || name === 'transfer-encoding').length).toBeLessThan(2);
  expect(names.filter((name) => ENDS_HERE.test(name))).toEqual([]);
  expect(names.filter((name) => name === 'connection' || name === 'upgrade')).toEqual(
    head.websocket ? ['connection', 'upgrade'] : [],
  );
  for (const name of OWN) expect(names.filter((other) => other === name)).toEqual([name]);
  expect(names.filter((name) => name.startsWith('x-forwarded-')).sort()).toEqual(OWN.slice(0, 3).sort());
  expect(again.fields.first(FieldId.xForwardedFor)).toBe('192.0.2.7');
  for (const name of head.connectionNames ?? []) {
    // What identifies the request never goes at a stranger's word; everything else that is listed does.
    if (!/^(?:host|authorization|content-length|transfer-encoding|expect|sec-websocket-.*|x-.*)$/.test(name)) {
      expect(names).not.toContain(name);
    }
  }
}

describe('parseRequestHead: properties', () => {
  it('reads every valid head back to its parts', () => {
    fc.assert(
      fc.property(requestParts(), (parts) => {
        const head = requestHead(textOf(parts));
        expect(meaningOf(head)).toEqual({
          method: parts.method,
          target: parts.target,
          authority: parts.authority,
          bodyLength: parts.framing === 'none' ? 0 : parts.framing === 'chunked' ? -1 : parts.framing,
          chunked: parts.framing === 'chunked',
        });
        expect(head.minor).toBe(parts.minor);
        expect(pairsOf(head.fields)).toEqual(linesOf(parts).map(([name, , value]) => [name, value]));
      }),
      { numRuns: 500 },
    );
  });

  it('sends every valid head upstream with one framing, and without what ends here or was forged', () => {
    fc.assert(
      fc.property(requestParts(), (parts) => {
        checkUpstream(requestHead(textOf(parts)));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a damaged head, or reads in it just what goes upstream', () => {
    fc.assert(
      fc.property(damaged(requestParts().map(textOf)), (text) => {
        const cut = cutHead(text);
        if (cut === null) return;
        const head = parseRequest(cut);
        if (typeof head !== 'string') checkUpstream(head);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses any bytes, or reads in them just what goes upstream', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const head = parseRequest(`${Buffer.from(bytes).toString('latin1').replaceAll('\r\n\r\n', '')}\r\n\r\n`);
        if (typeof head !== 'string') checkUpstream(head);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a valid head with any one byte of its framing replaced, or reads in it just what goes upstream', () => {
    const text = `PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: te\r\nTE: x\r\n\r\n`;
    for (let at = 0; at < text.length - 4; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const head = parseRequest(text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1));
        if (typeof head === 'string') continue;
        const upstream = serialised(head);
        const again = parseRequest(upstream);
        if (typeof again === 'string') throw new Error(`${JSON.stringify(upstream)} from byte ${byte} at ${at}`);
        if (JSON.stringify(meaningOf(again)) !== JSON.stringify(meaningOf(head))) {
          throw new Error(`two meanings from byte ${byte} at ${at}`);
        }
      }
    }
  });
});

describe('parseResponseHead: what it refuses', () => {
  it.for<[rule: string, text: string]>([
    // RFC 9112 §4
    ['no status', 'HTTP/1.1\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 2x0 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 600 OK\r\n\r\n'],
    ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n'],
    ['another protocol', 'ICY 200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
    ['lower case', 'http/1.1 200 OK\r\n\r\n'],
    ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a control in the reason', 'HTTP/1.1 200 O\x00K\r\n\r\n'],
    ['bare LF', 'HTTP/1.1 200 OK\nA: b\r\n\r\n'],
    ['bare CR', 'HTTP/1.1 200 OK\rA: b\r\n\r\n'],
    // RFC 9112 §5
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
    ['no colon', 'HTTP/1.1 200 OK\r\nA\r\n\r\n'],
    ['a value with NUL', 'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n'],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(21)}\r\n`],
    // RFC 9112 §6.3
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
    ['two equal lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n'],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['an interim response with a length', 'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n'],
    ['an interim response in chunks', 'HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a bad length for HEAD, too', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n'],
    // A field that means nothing in a response must not hide one that does.
    ['a bad length behind two Hosts', 'HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nContent-Length: five\r\n\r\n'],
    ['two lengths behind two Hosts', 'HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
    ['both framings behind two Hosts', 'HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('%s', ([, text]) => {
    expect(parseResponse(text)).toBeNull();
    expect(parseResponse(text, 'HEAD')).toBeNull();
  }); // prettier-ignore
});

describe('parseResponseHead: what it reads', () => {
  it.for<[what: string, text: string, method: string, expected: Partial<Http1ResponseHead>]>([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'GET', { status: 200, reason: 'OK', bodyLength: 5, contentLength: '5', chunked: false, keepAlive: true }],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n', 'GET', { bodyLength: -1, chunked: true, keepAlive: true }],
    ['a body until the end', 'HTTP/1.1 200 OK\r\n\r\n', 'GET', { bodyLength: -1, chunked: false, contentLength: null }],
    ['a reason of its own', 'HTTP/1.1 404 Nicht \xe4 da\t!\r\n\r\n', 'GET', { status: 404, reason: 'Nicht \xe4 da\t!' }],
    ['an empty reason', 'HTTP/1.1 200 \r\n\r\n', 'GET', { status: 200, reason: '' }],
    ['a missing reason', 'HTTP/1.1 200\r\n\r\n', 'GET', { status: 200, reason: '' }],
    ['HTTP/1.0, which ends its connection', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n', 'GET', { keepAlive: false }],
    ['HTTP/1.0 with keep-alive', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n', 'GET', { keepAlive: true }],
    ['close', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n', 'GET', { keepAlive: false }],
    ['close beside keep-alive', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n\r\n', 'GET', { keepAlive: false }],
    ['names in Connection', 'HTTP/1.1 200 OK\r\nConnection: X-A\r\nContent-Length: 0\r\n\r\n', 'GET', { connectionNames: ['x-a'], bodyLength: 0 }],
    ['an answer to HEAD with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD', { bodyLength: 0, contentLength: '5', keepAlive: true }],
    ['an answer to HEAD in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD', { bodyLength: 0, chunked: false, keepAlive: true }],
    ['an answer to HEAD without framing', 'HTTP/1.1 200 OK\r\n\r\n', 'HEAD', { bodyLength: 0, keepAlive: true }],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'GET', { bodyLength: 0, contentLength: '5', keepAlive: true }],
    ['304 in chunks (RFC 9112 §6.1)', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET', { bodyLength: 0, chunked: false, keepAlive: true }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET', { bodyLength: 0, keepAlive: true }],
    ['204 with a length of 0', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 'GET', { bodyLength: 0, keepAlive: true }],
    ['204 with a length, after which nothing is certain', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 'GET', { bodyLength: 0, keepAlive: false }],
    ['204 in chunks, after which nothing is certain', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET', { bodyLength: 0, chunked: false, keepAlive: false }],
    ['100', 'HTTP/1.1 100 Continue\r\n\r\n', 'POST', { status: 100, bodyLength: 0 }],
    ['103 with fields', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', 'GET', { status: 103, bodyLength: 0 }],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', 'GET', { status: 101, bodyLength: 0 }],
    ['two Hosts, which mean nothing here', 'HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\n\r\n', 'GET', { bodyLength: 5 }],
  ])('%s', ([, text, method, expected]) => {
    expect(responseHead(text, method)).toMatchObject(expected);
  }); // prettier-ignore

  it('never throws, and never makes up a length', () => {
    const start = fc.constantFrom(
      'HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\nConnection: close\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n',
      'HTTP/1.0 304 \r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n',
    );
    fc.assert(
      fc.property(damaged(start), fc.constantFrom('GET', 'HEAD'), (text, method) => {
        const cut = cutHead(text);
        const head = cut === null ? null : parseResponse(cut, method);
        if (head === null) return;
        expect(head.status).toBeGreaterThanOrEqual(100);
        expect(head.status).toBeLessThan(600);
        expect(head.bodyLength === -1 || (Number.isSafeInteger(head.bodyLength) && head.bodyLength >= 0)).toBe(true);
        expect(head.chunked && head.contentLength !== null).toBe(false);
        if (head.contentLength !== null) expect(head.contentLength).toMatch(/^\d{1,15}$/);
        const lengths = head.fields.all(FieldId.contentLength).length;
        expect(lengths + head.fields.all(FieldId.transferEncoding).length).toBeLessThan(2);
      }),
      { numRuns: 2000 },
    );
  });
});
