import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AcmeSource } from '../../../src/acme/acme-source.ts';
import { planCertificate } from '../../../src/acme/planned-certificates.ts';
import { limitsOf } from '../../../src/acme/rate-limits.ts';
import { writeStoredCertificate } from '../../../src/acme/stored-certificates.ts';
import { parseCertificate } from '../../../src/base/certificate.ts';
import { collectCertificates } from '../../../src/certificates.ts';
import { instantCertificate } from '../../helpers/instant-certificate.ts';
import { caProblem, DAY, FakeIssuer, HOUR, jumpClock, MINUTE, newBench, START } from './manager-bench.ts';
import type { Bench } from './manager-bench.ts';

const LETSENCRYPT = limitsOf('https://acme-v02.api.letsencrypt.org/directory');
const refused = (): Error => caProblem('serverInternal', 'not today');

let bench: Bench;

beforeEach(async () => {
  vi.useFakeTimers({ now: START });
  bench = await newBench();
});

afterEach(async () => {
  await bench.manager?.close();
  vi.useRealTimers();
});

describe('the first start', () => {
  it('orders, stores, serves and tells', async () => {
    const manager = await bench.start();
    let changes = 0;
    manager.onChange(() => changes++);
    expect(manager.certificateFor('example.com')).toBe('pending');
    await bench.pass(1000);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com'], source: 'acme' });
    expect(manager.certificateFor('other.test')).toBeNull();
    expect(changes).toBe(1);
    expect(bench.kinds()).toEqual(['ordering', 'obtained']);
    expect(bench.issuer.discarded).toEqual(['example.com']);
    expect(bench.state()).toMatchObject({
      names: ['example.com'],
      source: 'acme',
      issuer: 'ca',
      not_after: new Date(START + 90 * DAY).toISOString(),
      days_left: 90,
      reason: 'a third of its life is left',
      last_problem: null,
      under_way: false,
    });
  });

  it('orders 50 names four at a time, and serves each as it comes', async () => {
    bench.sets = Array.from({ length: 50 }, (_, index) => [`a${index}.example.com`]);
    bench.issuer.limits = LETSENCRYPT;
    bench.issuer.takeMs = 10_000;
    const manager = await bench.start();
    const source = new AcmeSource(manager);
    const names = bench.sets.flat();
    expect(await collectCertificates(names, [source])).toEqual([]);
    await bench.pass(15_000);
    expect(await collectCertificates(names, [source])).toHaveLength(4);
    await bench.pass(3 * MINUTE);
    expect(await collectCertificates(names, [source])).toHaveLength(50);
    expect(bench.issuer.mostOpen).toBe(4);
    expect(bench.issuer.orders).toHaveLength(50);
    expect(bench.issuer.connects).toBe(1);
  });

  it('stays below the limit of a registered domain, and says until when', async () => {
    bench.sets = Array.from({ length: 60 }, (_, index) => [`a${index}.example.com`]);
    bench.issuer.limits = LETSENCRYPT;
    const manager = await bench.start();
    await bench.pass(MINUTE);
    expect(bench.issuer.orders).toHaveLength(50);
    const waiting = manager.state().filter(({ not_after }) => not_after === null);
    expect(waiting).toHaveLength(10);
    expect(waiting[0]?.reason).toContain('50 certificates below example.com in 7 days');
    const minutes = (Date.parse(waiting[0]?.next_renewal ?? '') - START) / MINUTE;
    expect(minutes).toBeGreaterThan(201);
    expect(minutes).toBeLessThan(204);
    expect(bench.ofKind('refused')).not.toEqual([]);
    expect(waiting.every(({ last_problem }) => last_problem === null)).toBe(true);
    await bench.pass(5 * HOUR);
    expect(bench.issuer.orders).toHaveLength(51);
  });

  it('does not order a name without an address, and orders it when it has one', async () => {
    bench.sets = [['example.com'], ['other.test']];
    let there = false;
    bench.addresses = (name) => name !== 'example.com' || there;
    await bench.start();
    await bench.pass(30 * MINUTE);
    expect(bench.issuer.orders.map(({ request }) => request.id)).toEqual(['other.test']);
    // 0, 1, 3, 7 and 15 minutes after the start.
    expect(bench.ofKind('waiting')).toHaveLength(5);
    expect(bench.state().reason).toBe('example.com has no address in DNS yet');
    there = true;
    await bench.pass(HOUR);
    expect(bench.issuer.orders).toHaveLength(2);
  });

  it('orders in spite of that with a DNS challenge, when DNS cannot say, and when a person asks', async () => {
    bench.addresses = () => false;
    bench.sets = [['by-dns.test'], ['*.wild.test'], ['192.0.2.1']];
    bench.dnsNames = new Set(['by-dns.test']);
    await bench.start();
    await bench.pass(1000);
    expect(bench.issuer.orders).toHaveLength(3);
    await bench.manager?.close();
    bench.addresses = () => null;
    bench.sets = [['unknown.test']];
    await bench.start();
    await bench.pass(1000);
    expect(bench.issuer.orders).toHaveLength(4);
    await bench.manager?.close();
    bench.addresses = () => false;
    bench.sets = [['asked.test']];
    const manager = await bench.start();
    await manager.renewNow('asked.test');
    await bench.pass(1000);
    expect(bench.issuer.orders).toHaveLength(5);
  });

  it('asks for short-lived certificates for addresses, unless the config says otherwise or the CA knows no profiles', async () => {
    bench.sets = [['192.0.2.1']];
    bench.issuer.offered = ['classic', 'shortlived'];
    await bench.start();
    await bench.pass(1000);
    expect(bench.issuer.orders[0]?.request.profile).toBe('shortlived');
    const second = new FakeIssuer('plain');
    bench.issuers = [second];
    await bench.restart();
    await bench.pass(1000);
    expect(second.orders[0]?.request.profile).toBeNull();
    expect(bench.ofKind('profile_dropped')).toEqual([]);
  });
});

describe('new keys for the accounts', () => {
  it('are made at each issuer, and orders wait meanwhile', async () => {
    const second = new FakeIssuer('second');
    bench.issuers = [bench.issuer, second];
    const manager = await bench.start();
    await bench.pass(1000);
    bench.issuer.rollMs = MINUTE;
    const rolling = manager.rollOverKeys();
    await manager.renewNow('example.com');
    await bench.pass(MINUTE / 2);
    expect([bench.issuer.rolledOver, bench.issuer.orders.length]).toEqual([1, 1]);
    await expect(manager.rollOverKeys()).rejects.toMatchObject({ code: 'ACME_ORDERS_UNDER_WAY' });
    await bench.pass(MINUTE);
    expect(await rolling).toEqual([
      { issuer: 'ca', accountUri: 'https://ca.test/account/1' },
      { issuer: 'second', accountUri: 'https://second.test/account/1' },
    ]);
    expect([second.rolledOver, bench.issuer.orders.length]).toEqual([1, 2]);
  });

  it('are refused while an order is under way', async () => {
    bench.issuer.takeMs = MINUTE;
    const manager = await bench.start();
    await bench.pass(1000);
    await expect(manager.rollOverKeys()).rejects.toMatchObject({
      code: 'ACME_ORDERS_UNDER_WAY',
      message: 'Certificates are being ordered: example.com.',
    });
    await bench.pass(2 * MINUTE);
    expect(await manager.rollOverKeys()).toHaveLength(1);
    expect(bench.issuer.rolledOver).toBe(1);
  });
});

describe('failures', () => {
  it('go up the ladder', async () => {
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(3 * DAY);
    const gaps = bench.issuer.orders.map(({ at }) => Math.round((at - START) / MINUTE));
    expect(gaps).toEqual([0, 1, 11, 111, 111 + 1440, 111 + 2880]);
    expect(bench.state()).toMatchObject({
      not_after: null,
      failures: 6,
      reason: 'after 6 failed attempts',
      last_problem: { code: 'ACME_PROBLEM', type: 'serverInternal', message: 'not today', fix: 'Do something.' },
    });
  });

  it('are kept over a restart and a reload', async () => {
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(20 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(3);
    for (let restarts = 0; restarts < 5; restarts++) {
      const manager = await bench.restart();
      await manager.setPlan(bench.plan);
      await bench.pass(MINUTE);
    }
    expect(bench.issuer.orders).toHaveLength(3);
    expect(bench.state().failures).toBe(3);
    await bench.pass(100 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(4);
  });

  it('are forgotten when a person asks for a renewal', async () => {
    bench.issuer.answer = refused;
    const manager = await bench.start();
    await bench.pass(20 * MINUTE);
    bench.issuer.answer = () => null;
    expect(await manager.renewNow('EXAMPLE.com')).toEqual(['example.com']);
    await bench.pass(1000);
    expect(bench.state()).toMatchObject({ failures: 0, last_problem: null, days_left: 90 });
    await expect(manager.renewNow('other.test')).rejects.toMatchObject({ code: 'ACME_NOT_PLANNED' });
  });

  it('stop altogether while the CA has paused the name', async () => {
    bench.issuer.answer = () => caProblem('rateLimited', 'Your account is paused for example.com, see https://…');
    const manager = await bench.start();
    await bench.pass(2 * DAY);
    expect(bench.issuer.orders).toHaveLength(1);
    expect(bench.state()).toMatchObject({ next_renewal: null });
    expect(bench.state().reason).toContain('paused');
    await bench.restart();
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(1);
    bench.issuer.answer = () => null;
    await bench.manager?.renewNow('example.com');
    await bench.pass(1000);
    expect(bench.state().days_left).toBe(90);
    expect(manager).not.toBe(bench.manager);
  });

  it('wait as long as the CA asks', async () => {
    let first = true;
    bench.issuer.answer = () => {
      if (!first) return null;
      first = false;
      return caProblem('rateLimited', 'too many new orders', { retryAfterMs: 3 * HOUR });
    };
    bench.sets = [['example.com'], ['other.test']];
    bench.issuer.takeMs = 1000;
    await bench.start();
    await bench.pass(2 * HOUR);
    // The second was under way already; what the CA said holds for every order of the account.
    expect(bench.issuer.orders).toHaveLength(2);
    bench.sets = [...bench.sets, ['third.test']];
    await bench.manager?.setPlan(bench.plan);
    await bench.pass(30 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(2);
    await bench.pass(HOUR);
    expect(bench.issuer.orders).toHaveLength(4);
  });

  it('of validations are counted by name', async () => {
    bench.issuer.limits = LETSENCRYPT;
    bench.issuer.answer = () => caProblem('unauthorized', 'wrong answer', { name: 'example.com' });
    await bench.start();
    await bench.pass(1000);
    expect(bench.manager?.budgets()).toEqual([
      { issuer: 'ca', left: expect.objectContaining({ failures: 4, set: 5 }) },
    ]);
  });

  it('of what nobody foresaw go through the ladder, too', async () => {
    bench.issuer.answer = () => {
      throw new TypeError('undefined is not a function');
    };
    await bench.start();
    await bench.pass(10 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(2);
  });
});

describe('several issuers', () => {
  it('are asked in order after two failures of the first, which stays preferred', async () => {
    const second = new FakeIssuer('second');
    bench.issuers = [new FakeIssuer('first'), second];
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(30_000);
    expect([bench.issuer.orders.length, second.orders.length]).toEqual([1, 0]);
    await bench.pass(MINUTE);
    expect([bench.issuer.orders.length, second.orders.length]).toEqual([2, 1]);
    expect(bench.state().issuer).toBe('second');
    expect(bench.ofKind('fallback')).toMatchObject([{ from: 'first', to: 'second' }]);
  });

  it('are not asked for what is wrong with the name', async () => {
    const second = new FakeIssuer('second');
    bench.issuers = [new FakeIssuer('first'), second];
    bench.issuer.answer = () => caProblem('unauthorized', 'wrong answer');
    await bench.start();
    await bench.pass(DAY);
    expect(bench.issuer.orders.length).toBeGreaterThan(3);
    expect(second.orders).toEqual([]);
  });

  it('are asked at once when the first has had too much', async () => {
    const second = new FakeIssuer('second');
    bench.issuers = [new FakeIssuer('first'), second];
    bench.issuer.answer = () => caProblem('rateLimited', 'too many new orders', { retryAfterMs: HOUR });
    bench.sets = [['example.com'], ['other.test']];
    await bench.start();
    await bench.pass(1000);
    expect(second.orders).toHaveLength(2);
    expect(bench.manager?.state().map(({ issuer }) => issuer)).toEqual(['second', 'second']);
  });

  it('make another certificate when the one in use came from somebody who is no longer configured', async () => {
    await bench.start();
    await bench.pass(1000);
    const before = bench.manager?.certificateFor('example.com');
    const second = new FakeIssuer('second');
    bench.issuers = [second];
    const manager = await bench.restart();
    expect(manager.certificateFor('example.com')).toEqual(before);
    await bench.pass(1000);
    expect(second.orders).toHaveLength(1);
    expect(second.orders[0]?.request.replaces).toBeNull();
    expect(bench.state().issuer).toBe('second');
  });
});

describe('the staging probe', () => {
  it('comes before the third attempt, and keeps what would fail from production', async () => {
    let mended = false;
    const answer = (): Error | null => (mended ? null : caProblem('unauthorized', 'wrong answer'));
    bench.issuer.onProbe = answer;
    bench.issuer.answer = answer;
    await bench.start();
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(2);
    expect(bench.issuer.probes).toHaveLength(2);
    expect(bench.state().last_problem?.message).toContain('staging');
    mended = true;
    await bench.pass(2 * DAY);
    expect(bench.issuer.orders).toHaveLength(3);
    expect(bench.state().days_left).toBeGreaterThan(88);
  });

  it('does not count when staging itself is in trouble', async () => {
    bench.issuer.onProbe = () => caProblem('serverInternal', 'staging is down');
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(20 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(3);
  });
});

describe('renewal', () => {
  it('comes with half of a short life left, again and again, without a moment unserved', async () => {
    bench.issuer.life = 6 * DAY;
    const manager = await bench.start();
    await bench.pass(1000);
    for (let hours = 0; hours < 24 * 13; hours += 6) {
      await bench.pass(6 * HOUR);
      const certificate = manager.certificateFor('example.com');
      expect(certificate !== null && certificate !== 'pending' && certificate.notAfter > Date.now()).toBe(true);
    }
    const days = bench.issuer.orders.map(({ at }) => Math.round((at - START) / DAY));
    expect(days).toEqual([0, 3, 6, 9, 12]);
    expect(bench.issuer.orders.every(({ request }) => request.replaces === null)).toBe(true);
  });

  it('follows the CA and says what it replaces, exempt from limits', async () => {
    bench.issuer.limits = LETSENCRYPT;
    bench.issuer.life = 6 * DAY;
    let asked = 0;
    bench.issuer.renewalInfo = () => {
      asked += 1;
      const held = bench.issuer.orders.at(-1)?.at ?? START;
      const start = held + 12 * HOUR;
      return { start, end: start + HOUR, explanationUrl: null, receivedAt: Date.now(), retryAfterMs: 2 * HOUR };
    };
    await bench.start();
    await bench.pass(1000);
    const left = bench.manager?.budgets()[0]?.left;
    await bench.pass(5 * DAY);
    // Ten in five days; the limit for the same names is five a week.
    expect(bench.issuer.orders.length).toBeGreaterThanOrEqual(9);
    expect(bench.issuer.orders.slice(1).every(({ request }) => request.replaces !== null)).toBe(true);
    expect(bench.manager?.budgets()[0]?.left.set).toBeGreaterThanOrEqual(left?.set ?? 5);
    expect(asked).toBeGreaterThan(50);
    expect(asked).toBeLessThan(90);
    expect(bench.state()).toMatchObject({ reason: 'suggested by the CA' });
    expect(bench.ofKind('refused')).toEqual([]);
  });

  it('asks the CA again after a restart before it decides', async () => {
    bench.issuer.life = 6 * DAY;
    bench.issuer.renewalInfo = () => {
      const held = bench.issuer.orders.at(-1)?.at ?? START;
      return {
        start: held + 4.5 * DAY,
        end: held + 4.6 * DAY,
        explanationUrl: null,
        receivedAt: Date.now(),
        retryAfterMs: null,
      };
    };
    await bench.start();
    await bench.pass(4 * DAY);
    expect(bench.issuer.orders).toHaveLength(1);
    await bench.restart();
    await bench.pass(HOUR);
    expect(bench.issuer.orders).toHaveLength(1);
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(2);
  });

  it('goes on without an answer of the CA about renewal', async () => {
    bench.issuer.life = 6 * DAY;
    bench.issuer.renewalInfo = () => caProblem('serverInternal', 'no');
    await bench.start();
    await bench.pass(3.2 * DAY);
    expect(bench.issuer.orders).toHaveLength(2);
    expect(bench.ofKind('renewal_info_failed').length).toBeGreaterThan(3);
    // Every six hours, and a few times in between.
    expect(bench.issuer.polls).toBeLessThan(40);
  });

  it('is not obeyed in a circle when the CA always says now', async () => {
    bench.issuer.renewalInfo = () => ({
      start: Date.now() - 2 * HOUR,
      end: Date.now() - HOUR,
      explanationUrl: null,
      receivedAt: Date.now(),
      retryAfterMs: 0,
    });
    await bench.start();
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(4);
  });

  it('keeps the profile of the config, also over a restart', async () => {
    bench.issuer.profile = 'shortlived';
    bench.issuer.offered = ['classic', 'shortlived'];
    bench.issuer.life = 6 * DAY;
    await bench.start();
    await bench.pass(DAY);
    await bench.restart();
    await bench.pass(3 * DAY);
    expect(bench.issuer.orders.map(({ request }) => request.profile)).toEqual(['shortlived', 'shortlived']);
    expect(bench.state().profile).toBe('shortlived');
  });

  it('goes on without a profile that the CA no longer offers, and says so', async () => {
    bench.issuer.profile = 'shortlived';
    bench.issuer.offered = ['classic', 'shortlived'];
    bench.issuer.life = 6 * DAY;
    await bench.start();
    await bench.pass(1000);
    bench.issuer.offered = ['classic'];
    await bench.pass(3.5 * DAY);
    expect(bench.issuer.orders.map(({ request }) => request.profile)).toEqual(['shortlived', null]);
    expect(bench.ofKind('profile_dropped')).toMatchObject([{ profile: 'shortlived', offered: ['classic'] }]);
  });

  it('of an expired certificate goes on, and that one is served with a loud word a day', async () => {
    bench.issuer.life = 6 * DAY;
    const manager = await bench.start();
    await bench.pass(1000);
    bench.issuer.answer = refused;
    await bench.pass(8.5 * DAY);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com'] });
    expect(bench.ofKind('expired')).toHaveLength(3);
    expect(bench.state().days_left).toBeLessThan(0);
    await bench.restart();
    expect(bench.manager?.certificateFor('example.com')).toMatchObject({ names: ['example.com'] });
    bench.issuer.answer = () => null;
    await bench.pass(7 * HOUR);
    expect(bench.state().days_left).toBeGreaterThan(5);
  });
});

describe('the clock', () => {
  it.for([-2 * DAY, 2 * DAY])('jumps by %d ms, and nothing is ordered for that', async (jump) => {
    bench.sets = Array.from({ length: 20 }, (_, index) => [`a${index}.test`]);
    await bench.start();
    await bench.pass(MINUTE);
    jumpClock(jump);
    await bench.pass(12 * HOUR);
    jumpClock(-jump);
    await bench.pass(12 * HOUR);
    expect(bench.issuer.orders).toHaveLength(20);
    expect(bench.manager?.state().every(({ days_left }) => days_left !== null && days_left > 87)).toBe(true);
  });

  it('goes back by two days, and a failed name waits no longer than its ladder', async () => {
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(20 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(3);
    jumpClock(-2 * DAY);
    await bench.pass(101 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(4);
  });

  it('goes on by two days, and a failed name is tried once for that', async () => {
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(20 * MINUTE);
    jumpClock(2 * DAY);
    await bench.pass(12 * HOUR);
    expect(bench.issuer.orders).toHaveLength(4);
  });

  it('goes on to the date of a renewal while nobody watches, and that is seen within a minute', async () => {
    bench.issuer.life = 6 * DAY;
    await bench.start();
    await bench.pass(MINUTE);
    jumpClock(4 * DAY);
    await bench.pass(MINUTE + 1000);
    expect(bench.issuer.orders).toHaveLength(2);
  });
});

describe('a restart', () => {
  it('serves what the store has before anything is asked of anybody', async () => {
    bench.sets = Array.from({ length: 50 }, (_, index) => [`a${index}.example.com`]);
    await bench.start();
    await bench.pass(MINUTE);
    await bench.manager?.close();
    bench.sets = [...bench.sets, ['new.example.com']];
    const manager = await bench.openOnly();
    const found = await collectCertificates(bench.sets.flat(), [new AcmeSource(manager)]);
    expect(found).toHaveLength(50);
    expect(bench.ofKind('adopted')).toHaveLength(50);
    expect(bench.issuer.connects).toBe(1);
  });

  it('goes on with an order that was under way, whatever the budget says', async () => {
    bench.issuer.limits = LETSENCRYPT;
    bench.issuer.takeMs = HOUR;
    await bench.start();
    for (let crashes = 0; crashes < 8; crashes++) {
      await bench.pass(1000);
      await bench.restart();
    }
    await bench.pass(2 * HOUR);
    expect(bench.state().days_left).toBeGreaterThan(89);
    expect(bench.state().failures).toBe(0);
    expect(bench.manager?.budgets()[0]?.left.set).toBe(4);
  });

  it('lets an old certificate stand in until its names share one', async () => {
    bench.sets = [['example.com'], ['www.example.com']];
    await bench.start();
    await bench.pass(MINUTE);
    bench.sets = [['example.com', 'www.example.com']];
    bench.issuer.answer = refused;
    const manager = await bench.restart();
    await bench.pass(MINUTE);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com'] });
    bench.issuer.answer = () => null;
    await bench.pass(HOUR);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com', 'www.example.com'] });
  });
});

describe('imported certificates', () => {
  /** As another program had them. */
  async function imported(names: readonly string[], daysLeft: number, issuer: string | null = null): Promise<void> {
    const { chain, key } = instantCertificate(names, START + (daysLeft - 90) * DAY, START + daysLeft * DAY);
    const certificate = parseCertificate(chain, key, 'acme');
    await writeStoredCertificate(bench.store, {
      id: planCertificate(names).id,
      certificate,
      issuer,
      issuerName: issuer,
      profile: null,
      askedProfile: null,
      configuredProfile: null,
      obtainedAt: certificate.notBefore,
      certificateUrl: null,
      importedFrom: 'certbot',
    });
  }

  it.each([null, 'zerossl', 'ca'])(
    'are adopted and renewed by their dates, of whatever CA they are (%s)',
    async (ca) => {
      await imported(['example.com'], 60, ca);
      await bench.start();
      await bench.pass(DAY);
      expect(bench.ofKind('adopted')).toMatchObject([{ id: 'example.com', issuer: ca }]);
      expect(bench.issuer.orders).toEqual([]);
      expect(bench.state()).toMatchObject({ issuer: ca, reason: 'a third of its life is left' });
      await bench.pass(32 * DAY);
      expect(bench.issuer.orders).toHaveLength(1);
      expect(bench.state().issuer).toBe('ca');
    },
  );

  it('say what they replace only to the CA that they are of', async () => {
    bench.issuer.renewalInfo = () => ({
      start: START,
      end: START + HOUR,
      explanationUrl: null,
      receivedAt: START,
      retryAfterMs: null,
    });
    bench.sets = [['example.com'], ['example.net']];
    await imported(['example.com'], 60, 'ca');
    await imported(['example.net'], 60);
    await bench.start();
    await bench.pass(HOUR);
    expect(bench.issuer.orders.map(({ request }) => [request.id, request.replaces !== null])).toEqual([
      ['example.com', true],
    ]);
  });

  it('for several names stand for each of them that is planned, until their dates say otherwise', async () => {
    await imported(['example.com', 'www.example.com'], 60);
    await imported(['*.example.com'], 50);
    bench.sets = [['example.com'], ['www.example.com'], ['matrix.example.com'], ['other.test']];
    const manager = await bench.start();
    await bench.pass(DAY);
    expect(bench.issuer.orders.map(({ request }) => request.id)).toEqual(['other.test']);
    expect(manager.certificateFor('www.example.com')).toMatchObject({ names: ['example.com', 'www.example.com'] });
    expect(manager.certificateFor('matrix.example.com')).toMatchObject({ names: ['*.example.com'] });
    await bench.restart();
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(1);
    await bench.pass(60 * DAY);
    for (const name of ['example.com', 'www.example.com', 'matrix.example.com']) {
      expect(bench.manager?.certificateFor(name)).toMatchObject({ names: [name] });
    }
  });

  it('that have expired are not waited with', async () => {
    await imported(['example.com', 'www.example.com'], -1);
    await bench.start();
    await bench.pass(MINUTE);
    expect(bench.issuer.orders).toHaveLength(1);
    expect(bench.state().days_left).toBe(90);
  });

  it('in a store that cannot be read at first are found as soon as it can', async () => {
    await imported(['example.com', 'www.example.com'], 60);
    bench.store.reads = true;
    const manager = await bench.start();
    await bench.pass(10 * MINUTE);
    bench.store.reads = false;
    await bench.pass(2 * MINUTE);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com', 'www.example.com'] });
    expect(bench.issuer.orders).toEqual([]);
  });
});

describe('the store', () => {
  it('is full: the new certificate is served from memory, said, and stored when there is room', async () => {
    bench.store.writes = true;
    const manager = await bench.start();
    await bench.pass(5 * MINUTE);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com'] });
    expect(bench.issuer.orders).toHaveLength(1);
    expect(bench.issuer.discarded).toEqual([]);
    expect(bench.problems.map(({ code }) => code)).toContain('ACME_CERTIFICATE_UNSTORED');
    bench.store.writes = false;
    await bench.pass(MINUTE + 1000);
    expect(bench.issuer.discarded).toEqual(['example.com']);
    const served = manager.certificateFor('example.com');
    await bench.manager?.close();
    expect((await bench.openOnly()).certificateFor('example.com')).toEqual(served);
  });

  it('is full: failures still go up the ladder', async () => {
    bench.store.writes = true;
    bench.issuer.answer = refused;
    await bench.start();
    await bench.pass(30 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(3);
    expect(bench.problems.map(({ code }) => code)).toContain('ACME_STATE_UNWRITABLE');
  });

  it('cannot be read: nothing is ordered that it may hold', async () => {
    await bench.start();
    await bench.pass(MINUTE);
    await bench.manager?.close();
    bench.store.reads = true;
    const manager = await bench.start();
    await bench.pass(10 * MINUTE);
    expect(bench.issuer.orders).toHaveLength(1);
    expect(bench.state().reason).toBe('the store cannot be read');
    bench.store.reads = false;
    await bench.pass(2 * MINUTE);
    expect(manager.certificateFor('example.com')).toMatchObject({ names: ['example.com'] });
    expect(bench.issuer.orders).toHaveLength(1);
  });

  it('is damaged: another certificate is ordered, and no part of the damaged file is told', async () => {
    await bench.start();
    await bench.pass(MINUTE);
    const key = 'acme/certificates/example.com/certificate.json';
    const text = (await bench.store.get(key))?.toString() ?? '';
    await bench.store.put(key, text.slice(0, -20));
    await bench.restart();
    await bench.pass(MINUTE);
    expect(bench.issuer.orders).toHaveLength(2);
    const [problem] = bench.problems;
    expect(problem?.code).toBe('ACME_CERTIFICATE_DAMAGED');
    expect(JSON.stringify([problem?.message, problem?.cause])).not.toContain('PRIVATE');
  });
});

describe('another plan', () => {
  it('keeps orders under way and dates, drops what is gone, and adds what is new', async () => {
    bench.sets = [['stays.test'], ['goes.test']];
    bench.issuer.takeMs = 5 * MINUTE;
    const manager = await bench.start();
    await bench.pass(MINUTE);
    bench.sets = [['new.test'], ['stays.test']];
    await manager.setPlan(bench.plan);
    await bench.pass(10 * MINUTE);
    expect(bench.issuer.orders.map(({ request }) => request.id)).toEqual(['stays.test', 'goes.test', 'new.test']);
    expect(manager.state().map(({ id, not_after }) => [id, not_after !== null])).toEqual([
      ['new.test', true],
      ['stays.test', true],
    ]);
    expect(manager.certificateFor('goes.test')).toBeNull();
    expect(bench.ofKind('failed')).toEqual([]);
    expect(bench.issuer.connects).toBe(1);
  });

  it('never has two orders of one certificate under way, when it goes and comes back', async () => {
    bench.issuer.takeMs = MINUTE;
    const manager = await bench.start();
    await bench.pass(1000);
    const { sets } = bench;
    for (let round = 0; round < 5; round++) {
      bench.sets = [];
      const gone = manager.setPlan(bench.plan);
      bench.sets = sets;
      await Promise.all([gone, manager.setPlan(bench.plan)]);
      await bench.pass(100);
    }
    await bench.pass(2 * MINUTE);
    expect(bench.issuer.mostOpen).toBe(1);
    expect(bench.state().days_left).toBe(90);
  });

  it('opens another session when an issuer has other settings', async () => {
    const manager = await bench.start();
    await bench.pass(1000);
    bench.issuer.fingerprint = '2';
    bench.sets = [['example.com'], ['new.test']];
    await manager.setPlan(bench.plan);
    await bench.pass(1000);
    expect(bench.issuer.connects).toBe(2);
  });
});

describe('the manager', () => {
  it('opens a session again after it could not be opened, by the ladder', async () => {
    bench.issuer.onConnect = () => new Error('connect ECONNREFUSED');
    await bench.start();
    await bench.pass(5 * MINUTE);
    expect(bench.issuer.connects).toBe(2);
    bench.issuer.onConnect = () => null;
    await bench.pass(10 * MINUTE);
    expect(bench.state().days_left).toBe(90);
  });

  it('survives an observer that throws', async () => {
    bench.events.push = () => {
      throw new Error('log is full');
    };
    await bench.start();
    await bench.pass(1000);
    expect(bench.state().days_left).toBe(90);
  });

  it('leaves nothing running behind', async () => {
    bench.issuer.takeMs = HOUR;
    const manager = await bench.start();
    await bench.pass(1000);
    expect(bench.issuer.open).toBe(1);
    await manager.close();
    expect(bench.issuer.open).toBe(0);
    await bench.pass(DAY);
    expect(bench.issuer.orders).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
