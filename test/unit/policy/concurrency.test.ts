import { describe, expect, it } from 'vitest';
import { REQUEST_CLASSES, type RequestClass } from '../../../src/base/request-class.ts';
import { ConcurrencyCounter } from '../../../src/policy/concurrency.ts';

type Caps = Record<RequestClass, { maxConcurrent: number | null }>;

function caps(some: Partial<Record<RequestClass, number>>): Caps {
  return Object.fromEntries(REQUEST_CLASSES.map((name) => [name, { maxConcurrent: some[name] ?? null }])) as Caps;
}

describe('ConcurrencyCounter', () => {
  it('caps each class of each site by itself', () => {
    const limit = new ConcurrencyCounter().limitedTo(caps({ join: 2, sync: 1 }));
    expect([limit.enter('a', 'join'), limit.enter('a', 'join'), limit.enter('a', 'join')]).toEqual([true, true, false]);
    expect(limit.enter('b', 'join')).toBe(true);
    expect([limit.enter('a', 'sync'), limit.enter('a', 'sync')]).toEqual([true, false]);
    limit.leave('a', 'join');
    expect(limit.enter('a', 'join')).toBe(true);
  });

  it('lets in as many as come where there is no cap', () => {
    const counter = new ConcurrencyCounter();
    const limit = counter.limitedTo(caps({}));
    for (let index = 0; index < 1000; index += 1) expect(limit.enter('a', 'client')).toBe(true);
    expect(counter.inFlight('a', 'client')).toBe(1000);
    expect(counter.inFlight('a', 'sync')).toBe(0);
    expect(counter.inFlight('b', 'client')).toBe(0);
  });

  it('goes on counting when the caps change', () => {
    const counter = new ConcurrencyCounter();
    const before = counter.limitedTo(caps({ join: 5 }));
    before.enter('a', 'join');
    before.enter('a', 'join');
    const after = counter.limitedTo(caps({ join: 2 }));
    expect(after.enter('a', 'join')).toBe(false);
    before.leave('a', 'join');
    expect(after.enter('a', 'join')).toBe(true);
  });

  it('stays at zero when more leaves than came', () => {
    const counter = new ConcurrencyCounter();
    const limit = counter.limitedTo(caps({ join: 1 }));
    limit.leave('a', 'join');
    expect(counter.inFlight('a', 'join')).toBe(0);
    expect([limit.enter('a', 'join'), limit.enter('a', 'join')]).toEqual([true, false]);
  });

  it.each(REQUEST_CLASSES)('counts %s apart from the others', (requestClass) => {
    const counter = new ConcurrencyCounter();
    counter.limitedTo(caps({})).enter('a', requestClass);
    expect(REQUEST_CLASSES.filter((name) => counter.inFlight('a', name) > 0)).toEqual([requestClass]);
  });
});
