// Vectors: Synapse tests/federation/transport/server/test__base.py; the xmatrix_* tests of the crate ruma.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatXMatrix, parseXMatrix, xMatrixOrigin } from '../../../src/matrix/x-matrix.ts';

const SYNAPSE = { origin: 'foo', key: 'ed25519:1', sig: 'sig', destination: 'bar' };

describe('headers that homeservers accept', () => {
  it.for<[string, ReturnType<typeof parseXMatrix>]>([
    ['X-Matrix origin=foo,key="ed25519:1",sig="sig",destination="bar"', SYNAPSE],
    [String.raw`X-Matrix  ORIGIN=foo,KEY="ed25\519:1",SIG="sig",destination="bar"`, SYNAPSE],
    ['X-Matrix origin=foo,key="ed25519:1",sig="sig",destination="bar",extra_field=ignored', SYNAPSE],
    ['X-Matrix origin=foo \t, \t key="ed25519:1",\t sig="sig" ,destination="bar"\t', SYNAPSE],
    ['x-mAtRiX origin=foo,key=ed25519:1,sig=sig,destination=bar', SYNAPSE],
    ['X-Matrix origin = "foo" , key\t=\t"ed25519:1", sig= "sig", destination ="bar"', SYNAPSE],
    ['X-Matrix ,, origin=foo,,key=ed25519:1, ,sig=sig,destination=bar,,', SYNAPSE],
    ['X-Matrix origin=foo,key=ed25519:1,sig=sig,destination=bar,x=1,x=2', SYNAPSE],
    [
      'X-Matrix origin="origin.hs.example.com",key="ed25519:key1",sig="dGVzdA=="',
      { origin: 'origin.hs.example.com', key: 'ed25519:key1', sig: 'dGVzdA==' },
    ],
    [
      'X-Matrix origin=origin.hs.example.com:80,destination="destination.hs.example.com",key="ed25519:key1",sig=dGVzdA==',
      {
        origin: 'origin.hs.example.com:80',
        destination: 'destination.hs.example.com',
        key: 'ed25519:key1',
        sig: 'dGVzdA==',
      },
    ],
    [
      String.raw`X-Matrix origin="example.com:1234",key="abc\"def\\:ghi",sig=dGVzdA,`,
      { origin: 'example.com:1234', key: String.raw`abc"def\:ghi`, sig: 'dGVzdA' },
    ],
    [
      'X-Matrix key="ed25519:1",sig="a,b",destination="x",origin="o,rigin=evil"',
      { origin: 'o,rigin=evil', destination: 'x', key: 'ed25519:1', sig: 'a,b' },
    ],
  ])('%s', ([header, expected]) => {
    expect(parseXMatrix(header)).toEqual(expected);
    expect(xMatrixOrigin(header)).toBe(expected?.origin);
  });
});

describe('headers that are none', () => {
  it.for([
    '',
    'X-Matrix',
    'X-Matrix ',
    'X-Matrixorigin=foo,key=k,sig=s',
    'Bearer abc',
    'X-Matrix origin=foo,key=k',
    'X-Matrix origin=foo,sig=s',
    'X-Matrix key=k,sig=s',
    'X-Matrix origin="",key=k,sig=s',
    'X-Matrix origin=,key=k,sig=s',
    'X-Matrix origin=foo,key=k,sig=s,origin=foo',
    'X-Matrix origin=foo,key=k,sig=s,ORIGIN=bar',
    'X-Matrix origin=foo,key=k,sig=s,sig=t',
    'X-Matrix origin=foo key=k sig=s',
    'X-Matrix origin="foo"bar,key=k,sig=s',
    'X-Matrix origin="foo,key=k,sig=s',
    'X-Matrix origin=foo,key=k,sig="s\\',
    'X-Matrix origin=f"oo,key=k,sig=s',
    'X-Matrix =foo,origin=a,key=k,sig=s',
    'X-Matrix ori(gin=foo,key=k,sig=s',
    'X-Matrix origin=foo,key=k,sig=s,novalue',
    'X-Matrix origin="fo\no",key=k,sig=s',
    `X-Matrix origin=${'a'.repeat(9000)},key=k,sig=s`,
    `X-Matrix ${'x=1,'.repeat(33)}origin=foo,key=k,sig=s`,
  ])('%s', (header) => {
    expect(parseXMatrix(header)).toBeNull();
  });
});

describe('xMatrixOrigin', () => {
  it.for<[string | null, string | null]>([
    [null, null],
    ['Bearer syt_secret', null],
    ['X-Matrix origin=foo', 'foo'],
    ['X-Matrix destination="b",origin="a.example:8448",key="k', 'a.example:8448'],
    ['X-Matrix key="unterminated,origin=foo', null],
    ['X-Matrix origin=""', null],
    [`X-Matrix ${'x=1,'.repeat(40)}origin=foo`, null],
  ])('of %s is %s', ([header, origin]) => {
    expect(xMatrixOrigin(header)).toBe(origin);
  });
});

describe('formatXMatrix', () => {
  it('writes one space, lower-case names, quotes', () => {
    expect(formatXMatrix({ origin: 'a', destination: 'b:8448', key: 'ed25519:1', sig: 'c+/=' })).toBe(
      'X-Matrix origin="a",destination="b:8448",key="ed25519:1",sig="c+/="',
    );
    expect(formatXMatrix({ origin: 'a', key: 'k', sig: 's' })).toBe('X-Matrix origin="a",key="k",sig="s"');
  });

  it('is read back as it was, whatever needs no escape', () => {
    const value = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)), minLength: 1, maxLength: 60 })
      .filter((text) => !/["\\]/.test(text)); // prettier-ignore
    fc.assert(
      fc.property(fc.record({ origin: value, destination: value, key: value, sig: value }), (header) => {
        expect(parseXMatrix(formatXMatrix(header))).toEqual(header);
        expect(xMatrixOrigin(formatXMatrix(header))).toBe(header.origin);
      }),
    );
  });

  it.for(['a"b', 'a\\b', 'a\r\nX-Evil: 1', '', 'é'])('refuses %j', (origin) => {
    expect(() => formatXMatrix({ origin, key: 'k', sig: 's' })).toThrow(
      expect.objectContaining({ code: 'X_MATRIX_INVALID' }),
    );
  });
});

it('never throws, and both readers agree, whatever arrives', () => {
  const noise = fc.string({
    unit: fc.constantFrom('origin', 'key', 'sig', 'a', '=', ',', '"', '\\', ' ', '\t', ';', ':', '\0', 'é'),
  });
  fc.assert(
    fc.property(noise, (rest) => {
      const header = `X-Matrix ${rest}`;
      const parsed = parseXMatrix(header);
      const origin = xMatrixOrigin(header);
      if (parsed !== null) expect(origin).toBe(parsed.origin);
    }),
    { numRuns: 2000 },
  );
});
