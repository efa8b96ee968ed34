import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkedDecoder, ChunkedResult } from '../../../../src/proxy/http1/chunked.ts';

/** What came of feeding a text in the given pieces: the result of the last feed, and how far it got in all. */
interface Outcome {
  readonly result: 'more' | 'invalid' | number;
  readonly body: string;
}

/** Feeds pieces of a text, each within a larger buffer, until the decoder is done. @param cuts - where pieces end */
function decode(text: string, cuts: readonly number[] = []): Outcome {
  const decoder = new ChunkedDecoder();
  const places = [...new Set([0, ...cuts.filter((cut) => cut > 0 && cut < text.length), text.length])];
  places.sort((one, other) => one - other);
  let body = '';
  for (let index = 0; index + 1 < places.length; index++) {
    const from = places[index] ?? 0;
    const piece = text.slice(from, places[index + 1]);
    const bytes = Buffer.from(`0\r\n${piece}0\r\n\r\n`, 'latin1');
    const result = decoder.feed(bytes, 3, 3 + piece.length, (buffer, start, end) => {
      expect(buffer).toBe(bytes);
      expect(start).toBeLessThan(end);
      expect(end).toBeLessThanOrEqual(3 + piece.length);
      body += buffer.toString('latin1', start, end);
    });
    if (result === ChunkedResult.invalid) return { result: 'invalid', body };
    if (result !== ChunkedResult.more) return { result: from + result - 3, body };
  }
  return { result: 'more', body };
}

const everyByte = (text: string): number[] => Array.from({ length: text.length }, (_, at) => at);

describe('ChunkedDecoder (RFC 9112 §7.1)', () => {
  it.for<[what: string, text: string, body: string]>([
    ['an empty body', '0\r\n\r\n', ''],
    ['one chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['two chunks', '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', 'hello world'],
    ['sizes in either case', `a\r\n${'x'.repeat(10)}\r\nB\r\n${'y'.repeat(11)}\r\n0\r\n\r\n`, 'x'.repeat(10) + 'y'.repeat(11)],
    ['sizes with zeros', '0000005\r\nhello\r\n00000000\r\n\r\n', 'hello'],
    ['data that looks like framing', '7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n', '\r\n0\r\n\r\n'],
    ['an extension', '5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n', 'hello'],
    ['trailers', '0\r\nA: b\r\nContent-Length: 5\r\nEmpty:\r\nBytes: \xe9\t\r\n\r\n', ''],
  ])('reads %s', ([, text, body]) => {
    expect(decode(text)).toEqual({ result: text.length, body });
    expect(decode(text, everyByte(text))).toEqual({ result: text.length, body });
    expect(decode(`${text}GET / HTTP/1.1\r\n`)).toEqual({ result: text.length, body });
    for (let length = 0; length < text.length; length++) expect(decode(text.slice(0, length)).result).toBe('more');
  }); // prettier-ignore

  it.for<[what: string, text: string]>([
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['a size that is no number', 'x\r\n'],
    ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a minus', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['an underscore', '1_0\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a space after the size', '5 \r\nhello\r\n0\r\n\r\n'],
    ['a tab after the size', '5\t\r\nhello\r\n0\r\n\r\n'],
    ['a space before an extension', '5 ;a\r\nhello\r\n0\r\n\r\n'],
    ['nine digits', '000000005\r\nhello\r\n0\r\n\r\n'],
    ['a size beyond 32 bits', '100000000\r\n'],
    ['a size beyond 64 bits', '10000000000000005\r\nhello\r\n'],
    ['bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
    ['bare CR after the size', '5\rhello\r\n0\r\n\r\n'],
    ['CR CR LF after the size', '5\r\r\nhello\r\n0\r\n\r\n'],
    ['bare LF in an extension', '5;a\nhello\r\n0\r\n\r\n'],
    ['bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['NUL in an extension', '5;a\0\r\nhello\r\n0\r\n\r\n'],
    ['DEL in an extension', '5;a\x7f\r\nhello\r\n0\r\n\r\n'],
    ['an endless extension', `5;${'a'.repeat(1025)}`],
    ['data that is longer than said', '5\r\nhello!\r\n0\r\n\r\n'],
    ['data that is shorter than said', '5\r\nhell\r\n0\r\n\r\n'],
    ['bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['bare CR after the data', '5\r\nhello\r0\r\n\r\n'],
    ['nothing after the data', '5\r\nhello0\r\n\r\n'],
    ['bare LF at the end', '0\r\n\n'],
    ['bare CR at the end', '0\r\n\rX\n\r\n'],
    ['a trailer without a colon', '0\r\nGET / HTTP/1.1\r\n\r\n'],
    ['a trailer with a space before the colon', '0\r\nA : b\r\n\r\n'],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
    ['a trailer without a name', '0\r\n: b\r\n\r\n'],
    ['a trailer with NUL', '0\r\nA: \0\r\n\r\n'],
    ['a trailer with a bare CR', '0\r\nA: b\rC: d\r\n\r\n'],
    ['a trailer with a bare LF', '0\r\nA: b\nC: d\r\n\r\n'],
    ['endless trailers', `0\r\n${'A: b\r\n'.repeat(1400)}`],
    ['an endless trailer', `0\r\nA: ${'b'.repeat(8200)}`],
  ])('refuses %s', ([, text]) => {
    expect(decode(text).result).toBe('invalid');
    expect(decode(text, everyByte(text)).result).toBe('invalid');
  });

  it('takes the largest size, and hands data on before the chunk is complete', () => {
    expect(decode('ffffffff\r\nhello')).toEqual({ result: 'more', body: 'hello' });
  });

  it('stays done: bytes behind the end are not looked at', () => {
    const decoder = new ChunkedDecoder();
    const bytes = Buffer.from('0\r\n\r\nXY');
    const sink = (): void => expect.unreachable();
    expect(decoder.feed(bytes, 0, bytes.length, sink)).toBe(5);
    expect(decoder.feed(bytes, 5, bytes.length, sink)).toBe(5);
    expect(decoder.feed(bytes, 7, 7, sink)).toBe(7);
  });

  const chunk = fc.record({
    data: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }),
    extension: fc.constantFrom('', '', ';a', ';a=b', ';a="b c"'),
    upper: fc.boolean(),
    zeros: fc.nat({ max: 5 }),
  });
  const encoded = fc
    .tuple(fc.array(chunk, { maxLength: 6 }), fc.constantFrom('', 'A: b\r\n', 'A:\r\nB: c\r\n'))
    .map(([chunks, trailers]) => ({
      body: chunks.map(({ data }) => data).join(''),
      text:
        chunks
          .map(({ data, extension, upper, zeros }) => {
            const size = '0'.repeat(zeros) + data.length.toString(16);
            return `${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`;
          })
          .join('') + `0\r\n${trailers}\r\n`,
    }));

  it('reads every encoding back, however it is cut', () => {
    fc.assert(
      fc.property(encoded, fc.array(fc.nat({ max: 400 })), ({ text, body }, cuts) => {
        expect(decode(text, cuts)).toEqual({ result: text.length, body });
      }),
    );
  });

  it('says the same of damaged bytes however they are cut, never throws, and never makes up data', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.boolean());
    fc.assert(
      fc.property(
        encoded,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat({ max: 400 })),
        ({ text }, changes, cuts) => {
          const bad = changes.reduce((current, [at, byte, replace]) => {
            const place = at % current.length;
            return current.slice(0, place) + String.fromCharCode(byte) + current.slice(place + (replace ? 1 : 0));
          }, text);
          const whole = decode(bad);
          expect(decode(bad, cuts)).toEqual(whole);
          expect(whole.body.length).toBeLessThanOrEqual(bad.length);
          if (typeof whole.result === 'number') expect(bad.slice(0, whole.result)).toMatch(/\r\n$/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
