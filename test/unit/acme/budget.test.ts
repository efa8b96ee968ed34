import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IssuerBudget } from '../../../src/acme/budget.ts';
import type { BudgetQuestion } from '../../../src/acme/budget.ts';
import { limitsOf } from '../../../src/acme/rate-limits.ts';
import type { IssuerLimits } from '../../../src/acme/rate-limits.ts';
import { registeredDomain } from '../../../src/acme/registered-domain.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 28);
const LETSENCRYPT = limitsOf('https://acme-v02.api.letsencrypt.org/directory');

function order(name: string, exempt = false): BudgetQuestion {
  return { id: name, names: [name], exempt };
}

class Bench {
  now = START;
  readonly store = new MemoryStore();
  readonly problems: PorticoError[] = [];
  readonly clock = { now: () => this.now, monotonic: () => this.now };

  async open(limits: IssuerLimits | null = LETSENCRYPT): Promise<IssuerBudget> {
    const budget = new IssuerBudget({
      store: this.store,
      issuerId: 'letsencrypt',
      issuerName: 'letsencrypt',
      limits,
      clock: this.clock,
      onProblem: (problem) => this.problems.push(problem),
    });
    await budget.load();
    return budget;
  }

  /** Orders one after the other until it is refused. */
  fill(budget: IssuerBudget, names: (index: number) => string): { count: number; until: number; limit: string } {
    for (let count = 0; count < 1000; count++) {
      const question = order(names(count));
      const refusal = budget.refusal(question);
      if (refusal !== null) return { count, until: refusal.until, limit: refusal.limit };
      budget.reserve(question);
    }
    throw new Error('never refused');
  }
}

async function bench(): Promise<Bench> {
  const made = new Bench();
  await made.store.lock();
  return made;
}

describe("Let's Encrypt's limits", () => {
  it('allow 5 certificates a week for the same set of names, then one each 34 hours', async () => {
    const at = await bench();
    const { count, until, limit } = at.fill(await at.open(), () => 'example.com');
    expect([count, limit]).toEqual([5, 'set']);
    expect((until - START) / HOUR).toBeCloseTo(33.6);
  });

  it('allow 50 certificates a week below one registered domain, then one each 202 minutes', async () => {
    const at = await bench();
    const { count, until, limit } = at.fill(await at.open(), (index) => `a${index}.example.co.uk`);
    expect([count, limit]).toEqual([50, 'domain']);
    expect((until - START) / MINUTE).toBeCloseTo(201.6);
  });

  it('allow 300 orders in three hours, then one each 36 seconds', async () => {
    const at = await bench();
    const { count, until, limit } = at.fill(await at.open(), (index) => `a${index}.test`);
    expect([count, limit]).toEqual([300, 'orders']);
    expect(until - START).toBe(36_000);
  });

  it('allow 5 failed validations of a name an hour, then one each 12 minutes', async () => {
    const at = await bench();
    const budget = await at.open();
    for (let count = 0; count < 5; count++) {
      expect(budget.refusal(order('example.com'))).toBeNull();
      budget.validationFailed('example.com');
    }
    expect(budget.refusal(order('example.com'))).toMatchObject({ limit: 'failures', until: START + 12 * MINUTE });
    expect(budget.refusal(order('www.example.com'))).toBeNull();
  });

  it('allow 10 new accounts in three hours, and the one in use always', async () => {
    const at = await bench();
    const budget = await at.open();
    for (let count = 0; count < 10; count++) budget.accountSeen(`https://ca.test/${count}`);
    expect(budget.accountRefusal()).toBeNull();
    await budget.settled();
    expect(budget.left().accounts).toBe(0);
  });

  it('do not count renewals that ARI asked for', async () => {
    const at = await bench();
    const budget = await at.open();
    at.fill(budget, () => 'example.com');
    expect(budget.refusal(order('example.com', true))).toBeNull();
    const before = budget.left();
    budget.reserve(order('example.com', true));
    expect(budget.left()).toEqual(before);
  });

  it('are not used by a certificate that did not come', async () => {
    const at = await bench();
    const budget = await at.open();
    for (let count = 0; count < 20; count++) {
      expect(budget.refusal(order('example.com'))).toBeNull();
      budget.reserve(order('example.com')).release();
    }
    expect(budget.left()).toMatchObject({ set: 5, domain: 50, orders: 280 });
  });

  it('are not known of others', async () => {
    const at = await bench();
    expect(limitsOf('https://ca.internal/directory')).toBeNull();
    const budget = await at.open(null);
    for (let count = 0; count < 400; count++) {
      expect(budget.refusal(order('example.com'))).toBeNull();
      budget.reserve(order('example.com'));
    }
    expect(budget.left()).toEqual({});
  });
});

describe('the budget', () => {
  it('is the same after a restart', async () => {
    const at = await bench();
    const budget = await at.open();
    const { until } = at.fill(budget, () => 'example.com');
    budget.rateLimited(order('other.test'), 'too many', 3 * HOUR);
    await budget.settled();
    const again = await at.open();
    expect(again.refusal(order('example.com'))?.until).toBe(until);
    expect(again.refusal(order('other.test'))?.until).toBe(START + 3 * HOUR);
  });

  it('lets a refusal pass when its time has come', async () => {
    const at = await bench();
    const budget = await at.open();
    const { until } = at.fill(budget, () => 'example.com');
    at.now = until - 1;
    expect(budget.refusal(order('example.com'))).not.toBeNull();
    at.now = until;
    expect(budget.refusal(order('example.com'))).toBeNull();
  });

  it.for([
    [
      'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
      true,
      false,
      false,
    ],
    ['too many certificates (50) already issued for "example.com" in the last 168h0m0s', true, true, false],
    ['too many new orders (300) from this account in the last 3h0m0s', true, true, true],
    ['Service busy; retry later.', true, true, true],
    ['no sentence that anybody knows', true, false, false],
  ] as const)('waits for what the authority means: %s', async ([detail, own, sibling, stranger]) => {
    const at = await bench();
    const budget = await at.open(null);
    budget.rateLimited(order('a.example.com'), detail, 2 * HOUR);
    const blocked = ['a.example.com', 'b.example.com', 'example.net'].map(
      (name) => budget.refusal(order(name))?.until === START + 2 * HOUR,
    );
    expect(blocked).toEqual([own, sibling, stranger]);
  });

  it('bounds a Retry-After, and assumes an hour without one', async () => {
    const at = await bench();
    const budget = await at.open(null);
    expect(budget.rateLimited(order('a.test'), 'x', 1e15).until).toBe(START + 7 * DAY);
    expect(budget.rateLimited(order('b.test'), 'x', null).until).toBe(START + HOUR);
    expect(budget.rateLimited(order('c.test'), 'x', Number.NaN).until).toBe(START + HOUR);
  });

  it('forgets what the authority said of a name when a person wants it tried', async () => {
    const at = await bench();
    const budget = await at.open(null);
    budget.rateLimited(order('a.test'), 'x', HOUR);
    budget.clear('a.test');
    expect(budget.refusal(order('a.test'))).toBeNull();
  });

  it('never refuses for longer than a week, whatever the clock does', async () => {
    const jump = fc.integer({ min: -400 * DAY, max: 400 * DAY });
    await fc.assert(
      fc.asyncProperty(fc.array(jump, { maxLength: 5 }), async (jumps) => {
        const at = await bench();
        const budget = await at.open();
        for (const by of [0, ...jumps]) {
          at.now += by;
          budget.reserve(order('example.com'));
          budget.rateLimited(order('other.test'), 'x', 1e15);
          for (const name of ['example.com', 'other.test']) {
            const until = budget.refusal(order(name))?.until ?? at.now;
            expect(until - at.now).toBeLessThanOrEqual(7 * DAY);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps no more than what was used lately', async () => {
    const at = await bench();
    const budget = await at.open();
    for (let count = 0; count < 200; count++) budget.reserve(order(`a${count}.test`));
    at.now += 60 * DAY;
    budget.reserve(order('last.test'));
    await budget.settled();
    expect((await at.store.get('acme/budgets/letsencrypt.json'))?.length).toBeLessThan(300);
  });

  it('starts anew on a damaged file, and counts in memory when the store cannot be written', async () => {
    const at = await bench();
    await at.store.put('acme/budgets/letsencrypt.json', '{"version":1,"full_at":{"orders":"soon"}}');
    expect((await at.open()).refusal(order('example.com'))).toBeNull();
    const readOnly = new Bench();
    const budget = await readOnly.open();
    expect(readOnly.fill(budget, () => 'example.com').count).toBe(5);
    await budget.settled();
    expect(new Set([...at.problems, ...readOnly.problems].map(({ code }) => code))).toEqual(
      new Set(['ACME_STATE_UNREADABLE', 'ACME_STATE_UNWRITABLE']),
    );
  });
});

describe('registeredDomain', () => {
  it.for([
    ['a.b.example.com', 'example.com'],
    ['*.example.co.uk', 'example.co.uk'],
    ['x.me.github.io', 'me.github.io'],
    ['github.io', 'github.io'],
    ['localhost', 'localhost'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
  ] as const)('%s is counted by %s', ([name, domain]) => {
    expect(registeredDomain(name)).toBe(domain);
  });
});
