/** The self-check as the app wires it: when it looks, what it counts, what it logs, and that reload and stop are heard. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../src/config/index.ts';
import { loadConfigText } from '../../src/config/load.ts';
import { createTrust } from '../../src/delegation/outbound/dial.ts';
import type { DnsAnswer, DnsClient } from '../../src/dns/dns-client.ts';
import type { SiteHealth } from '../../src/observability/doctor-metrics.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { SiteWatch } from '../../src/site-watch.ts';

const MINUTE = 60_000;
const [INFO, WARN, ERROR] = [30, 40, 50];
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** A DNS that can be told what it knows; nothing is dialled, because every address in it is private. */
class Dns implements DnsClient {
  readonly addresses = new Map<string, string>();
  asked = 0;

  query(name: string, type: string): Promise<DnsAnswer> {
    this.asked++;
    const address = this.addresses.get(name);
    return Promise.resolve({
      rcode: address === undefined ? 'NXDOMAIN' : 'NOERROR',
      answers: address !== undefined && type === 'A' ? [{ name, type, ttl: 60, address }] : [],
      authority: [],
      authoritative: true,
      server: 'test',
    });
  }
}

async function config(names: readonly string[], doctor = ''): Promise<Config> {
  const sites = names.map((name) => `  - {server_name: ${name}, homeserver: "http://127.0.0.1:8008"}\n`).join('');
  const local = `certificates:\n  - {names: [${names.join(', ')}], local_ca: true}\n`;
  const loaded = await loadConfigText(`sites:\n${sites}${local}${doctor}`, { file: 'portico.yaml', env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function setUp() {
  const trust = createTrust(null);
  const dialled = vi.spyOn(trust, 'context');
  const dns = new Dns();
  const lines: Record<string, unknown>[] = [];
  const health = new Map<string, SiteHealth>();
  const canary = vi.fn(() => ({ target: '/x', answerKey: '' }));
  const watch = new SiteWatch({
    logger: createLogger({
      level: 'info',
      destination: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    metrics: {
      siteLooked: (one) => void health.set(one.serverName, one),
      keepSites: (names) => {
        for (const name of health.keys()) if (!names.has(name)) health.delete(name);
      },
    },
    clock,
    canary,
    setting: { network: { dns, dial: { clock, trust, allowPrivate: false, timeoutMs: 1000 } } },
  });
  return { watch, dns, lines, health, canary, dialled };
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-12-01T12:00:00Z') });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('SiteWatch', () => {
  it('looks a minute after the start and then every hour; counts findings, logs them once and then what is new', async () => {
    const { watch, dns, lines, health } = setUp();
    watch.use(await config(['a.test']));
    await vi.advanceTimersByTimeAsync(MINUTE - 1);
    expect([dns.asked, lines]).toEqual([0, []]);

    await vi.advanceTimersByTimeAsync(1);
    expect(health.get('a.test')).toMatchObject({ findings: { error: 3, warning: 0, info: 0 }, lookedAt: Date.now() });
    expect(lines).toMatchObject([
      { level: INFO, site: 'a.test', findings: { error: 3 } },
      {
        level: ERROR,
        site: 'a.test',
        finding: 'name-does-not-resolve',
        seen: expect.any(String),
        fix: expect.any(String),
      },
      { level: ERROR, finding: 'client-document-not-as-configured' },
      { level: ERROR, finding: 'client-base-url-unreachable' },
    ]);

    lines.length = 0;
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(lines).toEqual([]);

    dns.addresses.set('a.test', '10.0.0.1');
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: INFO,
        site: 'a.test',
        finding: 'name-does-not-resolve',
        msg: 'no longer found from outside',
      }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ level: ERROR, finding: 'private-address' }));

    lines.length = 0;
    dns.addresses.set('a.test', '10.0.0.2');
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: INFO, what: 'addresses', before: '10.0.0.1:8448', after: '10.0.0.2:8448' }),
    );
    watch.close();
  });

  it('does not dial private addresses: the finding says so', async () => {
    const { watch, dns, lines, health, canary, dialled } = setUp();
    dns.addresses.set('a.test', '127.0.0.1');
    watch.use(await config(['a.test']));
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(health.get('a.test')?.findings.error).toBeGreaterThan(0);
    expect(lines).toContainEqual(expect.objectContaining({ finding: 'private-address' }));
    expect(dialled).not.toHaveBeenCalled();
    expect(canary).not.toHaveBeenCalled();
    watch.close();
  });

  it('a reload: sites that are gone are forgotten, new ones are looked at, the rest is compared with what was', async () => {
    const { watch, lines, health } = setUp();
    watch.use(await config(['a.test', 'b.test']));
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect([...health.keys()]).toEqual(['a.test', 'b.test']);
    watch.use(await config(['b.test', 'c.test']));
    expect([...health.keys()]).toEqual(['b.test']);
    lines.length = 0;
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect([...health.keys()]).toEqual(['b.test', 'c.test']);
    expect(new Set(lines.map(({ site }) => site))).toEqual(new Set(['c.test']));
    watch.close();
  });

  it('a reload that sets another interval, and one that turns it off and on', async () => {
    const { watch, dns, health } = setUp();
    watch.use(await config(['a.test'], 'doctor: {interval: 5m}\n'));
    await vi.advanceTimersByTimeAsync(MINUTE);
    const once = dns.asked;
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(dns.asked).toBe(2 * once);
    watch.use(await config(['a.test'], 'doctor: {self_check: false}\n'));
    expect(health.size).toBe(0);
    await vi.advanceTimersByTimeAsync(600 * MINUTE);
    expect(dns.asked).toBe(2 * once);
    watch.use(await config(['a.test']));
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(dns.asked).toBe(3 * once);
    watch.close();
  });

  it('off in the config: never looks', async () => {
    const { watch, dns } = setUp();
    watch.use(await config(['a.test'], 'doctor: {self_check: false}\n'));
    await vi.advanceTimersByTimeAsync(600 * MINUTE);
    expect(dns.asked).toBe(0);
  });

  it('closed: no further look, and a reload that ends later does not wake it', async () => {
    const { watch, dns } = setUp();
    watch.use(await config(['a.test']));
    watch.close();
    watch.use(await config(['b.test'], 'doctor: {interval: 5m}\n'));
    await vi.advanceTimersByTimeAsync(600 * MINUTE);
    expect(dns.asked).toBe(0);
  });

  it('a look that ends in a defect is a line, and the next one comes', async () => {
    const { watch, lines, health } = setUp();
    const defect = vi.spyOn(health, 'set').mockImplementation(() => {
      throw new TypeError('defect');
    });
    watch.use(await config(['a.test']));
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(defect).toHaveBeenCalled();
    expect(lines).toMatchObject([{ level: WARN, site: 'a.test', msg: expect.stringContaining('defect') }]);
    defect.mockRestore();
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(health.has('a.test')).toBe(true);
    watch.close();
  });
});
