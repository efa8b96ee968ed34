import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldId, FieldList } from '../../../../src/proxy/fields.ts';
import {
  informationalText,
  responseFraming,
  responseHeadText,
  switchingText,
} from '../../../../src/proxy/http1/response-head.ts';
import { cutHead, parseResponse, responseHead } from './heads.ts';

/** What a client of the given minor version gets for an upstream's head. */
function sent(text: string, method = 'GET', minor = 1, close = false): string {
  const head = responseHead(text, method);
  return responseHeadText(head, responseFraming(head, minor), close);
}

describe('responseFraming (RFC 9112 §6)', () => {
  it.for<[text: string, method: string, minor: number, framing: string]>([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'GET', 1, 'length'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'GET', 0, 'length'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET', 1, 'none'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET', 1, 'chunked'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET', 0, 'close'],
    ['HTTP/1.1 200 OK\r\n\r\n', 'GET', 1, 'chunked'],
    ['HTTP/1.1 200 OK\r\n\r\n', 'GET', 0, 'close'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD', 1, 'none'],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'GET', 1, 'none'],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'GET', 0, 'none'],
  ])('%j to %s, HTTP/1.%i: %s', ([text, method, minor, framing]) => {
    expect(responseFraming(responseHead(text, method), minor)).toBe(framing);
  });
});

describe('responseHeadText', () => {
  it.for<[what: string, from: string, method: string, minor: number, close: boolean, to: string]>([
    ['keeps order, spelling and repeats', 'HTTP/1.1 200 Fine\r\nset-cookie: a\r\nX-B:  \xe9 \r\nSet-Cookie: b\r\nContent-Length: 1\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 200 Fine\r\nset-cookie: a\r\nX-B: \xe9\r\nSet-Cookie: b\r\nContent-Length: 1\r\n\r\n'],
    ['says the usual reason where there is none', 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'],
    ['leaves an unknown reason empty', 'HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n'],
    ['answers with its own version', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n'],
    ['drops hop-by-hop fields (RFC 9110 §7.6.1)', 'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-A\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authenticate: x\r\nTE: x\r\nTrailer: x\r\nUpgrade: h2c\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 1\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 1\r\n\r\n'],
    ['puts what has no length into chunks', 'HTTP/1.1 200 OK\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['gives HTTP/1.0 no chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'GET', 0, true, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'],
    ['tells HEAD the length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD', 1, false, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['tells HEAD of no chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD', 1, false, 'HTTP/1.1 200 OK\r\n\r\n'],
    ['tells the length with 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['tells no length with 204 (RFC 9110 §8.6)', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 'GET', 1, false, 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['says that the connection ends', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n', 'GET', 1, true, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n'],
  ])('%s', ([, from, method, minor, close, to]) => {
    expect(sent(from, method, minor, close)).toBe(to);
  }); // prettier-ignore

  it('has one framing, which its reader understands as it was meant', () => {
    const line = fc.constantFrom('X-A: b', 'Connection: x-a, close', 'Keep-Alive: 5', 'Trailer: a', 'Set-Cookie: c', 'TE: x');
    const framing = fc.constantFrom('', 'Content-Length: 0', 'Content-Length: 12', 'Transfer-Encoding: chunked');
    fc.assert(
      fc.property(
        fc.constantFrom(200, 204, 206, 304, 404, 500),
        fc.array(line, { maxLength: 5 }),
        framing,
        fc.constantFrom('GET', 'HEAD'),
        fc.constantFrom(0, 1),
        fc.boolean(),
        (status, lines, frame, method, minor, close) => {
          const all = [...lines, frame].filter((text) => text !== '').map((text) => `${text}\r\n`);
          const head = responseHead(`HTTP/1.1 ${String(status)} X\r\n${all.join('')}\r\n`, method);
          const how = responseFraming(head, minor);
          const text = responseHeadText(head, how, close || how === 'close');
          expect(cutHead(text)).toBe(text);
          const again = parseResponse(text, method);
          expect(again).toMatchObject({ status, bodyLength: head.bodyLength, keepAlive: !(close || how === 'close') });
          expect(again?.chunked).toBe(how === 'chunked');
          expect(text).not.toMatch(/^(?:keep-alive|te|trailer|upgrade):/im);
          expect(text.match(/^(?:content-length|transfer-encoding):/gim) ?? []).toHaveLength(
            how === 'chunked' || how === 'length' || (head.contentLength !== null && status !== 204) ? 1 : 0,
          );
        },
      ),
      { numRuns: 300 },
    );
  }); // prettier-ignore
});

describe('informationalText (RFC 9110 §15.2)', () => {
  it('has neither framing nor hop-by-hop fields', () => {
    const fields = new FieldList();
    fields.add(FieldId.other, 'Link', '</a>; rel=preload');
    fields.add(FieldId.connection, 'Connection', 'close');
    fields.add(FieldId.contentLength, 'Content-Length', '0');
    expect(informationalText(103, fields)).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n');
    expect(informationalText(100, new FieldList())).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  });
});

describe('switchingText (RFC 6455 §4.2.2)', () => {
  it('has Connection and Upgrade once, and what the handshake needs', () => {
    const head = responseHead(
      'HTTP/1.1 101 Web Socket\r\nupgrade: WebSocket\r\nconnection: upgrade\r\nSec-WebSocket-Accept: abc=\r\nSec-WebSocket-Protocol: m.json\r\n\r\n',
    );
    expect(switchingText(head)).toBe(
      'HTTP/1.1 101 Web Socket\r\nSec-WebSocket-Accept: abc=\r\nSec-WebSocket-Protocol: m.json\r\n' +
        'Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n',
    );
  });
});
