import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readName } from '../../../src/dns/framing.ts';
import { encodeName, isAtOrBelow, normalizeName, parentName } from '../../../src/dns/name.ts';
import { dnsName } from './names.ts';

describe('names', () => {
  it('are brought into one form', () => {
    expect(normalizeName('Example.COM.')).toBe('example.com');
    expect(normalizeName('_acme-challenge.x')).toBe('_acme-challenge.x');
    expect(normalizeName('*.example.com')).toBe('*.example.com');
    expect(normalizeName('.')).toBe('');
  });

  it('of 253 characters and labels of 63 are the longest', () => {
    const label = 'x'.repeat(63);
    const longest = `${label}.${label}.${label}.${'y'.repeat(61)}`;
    expect(encodeName(normalizeName(longest))).toHaveLength(255);
    expect(() => normalizeName(`${longest}z`)).toThrow(expect.objectContaining({ code: 'DNS_NAME' }));
    expect(() => normalizeName(`${label}x.test`)).toThrow(expect.objectContaining({ code: 'DNS_NAME' }));
  });

  it('come back from the wire as they were, whatever stands before and behind them', () => {
    fc.assert(
      fc.property(
        dnsName,
        fc.uint8Array({ maxLength: 30 }),
        fc.uint8Array({ maxLength: 30 }),
        (name, before, after) => {
          const wire = encodeName(name);
          const message = Buffer.concat([before, wire, after]);
          expect(readName(message, before.length)).toEqual({ name, end: before.length + wire.length });
        },
      ),
    );
  });

  it('have parents up to the root', () => {
    expect(parentName('a.example.com')).toBe('example.com');
    expect(parentName('com')).toBe('');
    expect(parentName('')).toBeNull();
  });

  it('are below whole labels only', () => {
    expect(isAtOrBelow('a.example.com', 'example.com')).toBe(true);
    expect(isAtOrBelow('example.com', 'example.com')).toBe(true);
    expect(isAtOrBelow('notexample.com', 'example.com')).toBe(false);
    expect(isAtOrBelow('example.com', '')).toBe(true);
  });
});
