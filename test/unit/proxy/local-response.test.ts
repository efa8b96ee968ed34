import { describe, expect, it } from 'vitest';
import { responseFraming, responseHeadText } from '../../../src/proxy/http1/response-head.ts';
import { pairsOf } from './http1/heads.ts';
import { localResponse } from '../../../src/proxy/local-response.ts';

const DATE = 'Sat, 21 Nov 2026 12:00:00 GMT';
const FIELDS = ['Content-Type', 'text/plain', 'Vary', 'Accept'];

describe('localResponse', () => {
  it.for<[what: string, status: number, method: string, body: string, bodyLength: number, contentLength: string | null]>([
    ['an answer', 200, 'GET', 'hello', 5, '5'],
    ['an answer in bytes, not in characters', 200, 'GET', 'hällo€', 9, '9'],
    ['HEAD (RFC 9110 §9.3.2)', 200, 'HEAD', 'hello', 0, '5'],
    ['an empty body', 200, 'GET', '', 0, '0'],
    ['204 (RFC 9110 §8.6)', 204, 'GET', 'hello', 0, null],
    ['304', 304, 'GET', 'hello', 0, null],
    ['a refusal of HEAD', 404, 'HEAD', '{}', 0, '2'],
  ])('%s', ([, status, method, body, bodyLength, contentLength]) => {
    const response = localResponse({ status, fields: FIELDS, body }, method, DATE);
    expect(response.head).toMatchObject({ status, reason: '', bodyLength, contentLength, connectionNames: null });
    expect(response.body).toEqual(bodyLength === 0 ? null : Buffer.from(body));
    expect(pairsOf(response.head.fields)).toEqual([
      ['Content-Type', 'text/plain'],
      ['Vary', 'Accept'],
      ['Date', DATE],
    ]);
    const text = responseHeadText(response.head, responseFraming(response.head, 1), false);
    expect(text.match(/^Content-Length:.*$/gm)).toEqual(
      contentLength === null ? null : [`Content-Length: ${contentLength}\r`.trimEnd()],
    );
  }); // prettier-ignore
});
