// Vectors: Matrix Appendices, "Canonical JSON", "Examples".
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../src/matrix/canonical-json.ts';

describe('the examples of the specification', () => {
  it.for([
    ['{}', '{}'],
    ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
    ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
    ['{"b":"2","a":"1"}', '{"a":"1","b":"2"}'],
    [
      `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
        "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
        {"medium": "msisdn", "address": "123456789"}]}}}`,
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a": "日本語"}', '{"a":"日本語"}'],
    ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
    [String.raw`{"a": "\u65E5"}`, '{"a":"日"}'],
    ['{"a": null}', '{"a":null}'],
    ['{"a": -0, "b": 1e10}', '{"a":0,"b":10000000000}'],
  ] as const)('%s', ([input, expected]) => {
    expect(canonicalJson(JSON.parse(input))).toBe(expected);
  });
});

describe('keys', () => {
  it('are in the order of code points, not of UTF-16 units', () => {
    // U+FF5E is one unit of value ff5e; U+1F600 begins with the unit d83d, which is smaller.
    expect(canonicalJson({ '\u{1F600}': 1, '\uFF5E': 2, a: 3, ab: 4 })).toBe('{"a":3,"ab":4,"\uFF5E":2,"\u{1F600}":1}');
  });

  it('are in the order of their UTF-8 bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme' }), { maxLength: 8 }), (keys) => {
        const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 1])));
        const expected = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(text).toBe(`{${expected.map((key) => `${JSON.stringify(key)}:1`).join(',')}}`);
      }),
    );
  });
});

it('reads back as the same value', () => {
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(json, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(value);
    }),
  );
});

it('escapes what the grammar escapes, and nothing else', () => {
  expect(canonicalJson('\b\t\n\f\r"\\\u0000\u001f/\u007f\u2028é')).toBe(
    String.raw`"\b\t\n\f\r\"\\\u0000\u001f/` + '\u007f\u2028é"',
  );
});

describe('refuses with MATRIX_JSON_INVALID', () => {
  const deep = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = [value];
    return value;
  };
  it.for<[string, unknown]>([
    ['a fraction', { a: 1.5 }],
    ['2^53', 2 ** 53],
    ['−2^53', -(2 ** 53)],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['undefined', { a: undefined }],
    ['a hole', [1, , 2]], // eslint-disable-line no-sparse-arrays -- the hole is the point
    ['a big integer', 1n],
    ['a function', () => 1],
    ['an instance', new Date(0)],
    ['half a surrogate pair in a string', '\ud83d'],
    ['half a surrogate pair in a key', { '\udc00': 1 }],
    ['nesting without end', deep(513)],
  ])('%s', ([, value]) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'MATRIX_JSON_INVALID' }));
  });

  it('but not the greatest integers and 512 levels', () => {
    expect(canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1])).toBe('[9007199254740991,-9007199254740991]');
    expect(canonicalJson(deep(512))).toHaveLength(1025);
  });
});
