import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressCounter } from '../../../src/policy/address-limits.ts';

describe('AddressCounter', () => {
  it('lets an address hold as much as the cap, and others their own', () => {
    const limit = new AddressCounter().limitedTo(2);
    expect([limit.enter('192.0.2.1'), limit.enter('192.0.2.1'), limit.enter('192.0.2.1')]).toEqual([true, true, false]);
    expect(limit.enter('192.0.2.2')).toBe(true);
    limit.leave('192.0.2.1');
    expect(limit.enter('192.0.2.1')).toBe(true);
  });

  it('counts IPv6 by /64 and IPv4-mapped as IPv4', () => {
    const counter = new AddressCounter();
    const limit = counter.limitedTo(1);
    expect(limit.enter('2001:db8::1')).toBe(true);
    expect(limit.enter('2001:db8::ffff:2')).toBe(false);
    expect(limit.enter('2001:db8:0:1::1')).toBe(true);
    expect(limit.enter('192.0.2.1')).toBe(true);
    expect(limit.enter('::ffff:192.0.2.1')).toBe(false);
  });

  it('shares counts between caps, so that a new snapshot sees what is held', () => {
    const counter = new AddressCounter();
    const before = counter.limitedTo(3);
    before.enter('192.0.2.1');
    before.enter('192.0.2.1');
    const after = counter.limitedTo(1);
    expect(after.enter('192.0.2.1')).toBe(false);
    before.leave('192.0.2.1');
    before.leave('192.0.2.1');
    expect(after.enter('192.0.2.1')).toBe(true);
  });

  it('stays at zero when more leaves than came', () => {
    const counter = new AddressCounter();
    const limit = counter.limitedTo(1);
    limit.leave('192.0.2.1');
    expect(counter.held('192.0.2.1')).toBe(0);
    expect([limit.enter('192.0.2.1'), limit.enter('192.0.2.1')]).toEqual([true, false]);
  });

  it('agrees with a plain count, and keeps nothing of those who left', () => {
    const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.boolean(), address), { maxLength: 60 }),
        (cap, steps) => {
          const counter = new AddressCounter();
          const limit = counter.limitedTo(cap);
          const held: string[] = [];
          for (const [enters, from] of steps) {
            if (enters) {
              const fits = held.filter((other) => other === from).length < cap;
              expect(limit.enter(from)).toBe(fits);
              if (fits) held.push(from);
            } else if (held.includes(from)) {
              held.splice(held.indexOf(from), 1);
              limit.leave(from);
            }
          }
          expect(counter.addresses).toBe(new Set(held).size);
          for (const from of held) limit.leave(from);
          expect(counter.addresses).toBe(0);
        },
      ),
    );
  });
});
