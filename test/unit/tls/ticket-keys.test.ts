import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  newTicketKey,
  nextTicketKeyAt,
  rotateTicketKeys,
  TICKET_KEY_LIFETIME_MS,
} from '../../../src/tls/ticket-keys.ts';

/** Bytes that tell which call they came from. */
function counter(): (size: number) => Buffer {
  let calls = 0;
  return (size) => Buffer.alloc(size, ++calls);
}

const T = 1_700_000_000_000;
const HOUR = 3_600_000;

describe('rotateTicketKeys', () => {
  it('makes a first key of 48 bytes', () => {
    const key = rotateTicketKeys(null, T, counter());
    expect(Buffer.from(key.key, 'base64')).toEqual(Buffer.alloc(48, 1));
    expect(key.activeFrom).toBe(T);
  });

  it('keeps the key for twelve hours and not longer', () => {
    const random = counter();
    const key = newTicketKey(random, T);
    expect(rotateTicketKeys(key, T + 12 * HOUR - 1, random)).toBe(key);
    const next = rotateTicketKeys(key, T + 12 * HOUR, random);
    expect(next.key).not.toBe(key.key);
    expect(next.activeFrom).toBe(T + 12 * HOUR);
  });

  it('keeps the phase when it is called late', () => {
    const random = counter();
    const next = rotateTicketKeys(newTicketKey(random, T), T + 40 * HOUR, random);
    expect(next.activeFrom).toBe(T + 36 * HOUR);
  });

  it('keeps a key through a small step of the clock, and replaces one from far ahead', () => {
    const random = counter();
    const key = newTicketKey(random, T);
    expect(rotateTicketKeys(key, T - HOUR, random)).toBe(key);
    expect(rotateTicketKeys(key, T - 13 * HOUR, random)).not.toBe(key);
  });

  it('always gives a key that is young enough, and changes it exactly when it says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 42 }), fc.integer({ min: 0, max: 2 ** 42 }), (activeFrom, now) => {
        const random = counter();
        const key = rotateTicketKeys(newTicketKey(random, activeFrom), now, random);
        expect(Math.abs(now - key.activeFrom)).toBeLessThanOrEqual(TICKET_KEY_LIFETIME_MS);
        expect(rotateTicketKeys(key, nextTicketKeyAt(key) - 1, random)).toBe(key);
        expect(rotateTicketKeys(key, nextTicketKeyAt(key), random)).not.toBe(key);
      }),
    );
  });
});
