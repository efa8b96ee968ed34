/** A small Internet on paper: a zone and web answers, for tests of discovery without sockets. */
import { PorticoError } from '../../../../src/base/errors.ts';
import type { DnsAnswer, DnsClient, DnsRcode, DnsRecord, DnsType } from '../../../../src/dns/dns-client.ts';
import type { ResolveDeps } from '../../../../src/delegation/resolve/types.ts';
import type { HttpsReply } from '../../../../src/delegation/resolve/document.ts';

/** `TYPE name` → data as in a zone file, or a response code, or `timeout`. Names not in it do not exist. */
export type Zone = Readonly<Record<string, readonly string[] | DnsRcode | 'timeout'>>;

/** URL → status, body and headers, or why no connection comes to be. */
export type Web = Readonly<Record<string, { status?: number; body?: string; headers?: HttpsReply['headers'] } | Error>>;

/** A scripted DNS client that keeps what it was asked. */
export interface ScriptedDns extends DnsClient {
  readonly asked: string[];
}

function recordOf(name: string, type: string, data: string): DnsRecord {
  const common = { name, ttl: 300 };
  if (type === 'A' || type === 'AAAA') return { ...common, type, address: data };
  if (type === 'CNAME') return { ...common, type, target: data };
  const [priority = 0, weight = 0, port = 0] = data.split(' ').map(Number);
  return { ...common, type: 'SRV', priority, weight, port, target: (data.split(' ')[3] ?? '').replace(/^\.$/, '') };
}

/**
 * Answers from the zone.
 * @param followsAliases - as a recursive resolver does; without it only the CNAME itself is in the answer
 */
export function scriptedDns(zone: Zone, followsAliases = true): ScriptedDns {
  const asked: string[] = [];
  const exists = (name: string): boolean => Object.keys(zone).some((key) => key.endsWith(` ${name}`));
  const query = (written: string, type: DnsType): Promise<DnsAnswer> => {
    asked.push(`${type} ${written}`);
    const answers: DnsRecord[] = [];
    let name = written;
    for (let hop = 0; hop < 20; hop++) {
      const entry = zone[`${type} ${name}`];
      if (entry === 'timeout') return Promise.reject(new PorticoError('DNS_TIMEOUT', 'No server answered.'));
      if (typeof entry === 'string') return Promise.resolve(answer(entry, answers));
      if (entry !== undefined) {
        answers.push(...entry.map((data) => recordOf(name, type, data)));
        break;
      }
      const [alias] = zone[`CNAME ${name}`] ?? [];
      if (alias === undefined) return Promise.resolve(answer(exists(name) ? 'NOERROR' : 'NXDOMAIN', answers));
      answers.push(recordOf(name, 'CNAME', alias));
      if (!followsAliases) break;
      name = alias;
    }
    return Promise.resolve(answer('NOERROR', answers));
  };
  return { asked, query };
}

function answer(rcode: DnsRcode, answers: readonly DnsRecord[]): DnsAnswer {
  return { rcode, answers, authority: [], authoritative: false, server: '192.0.2.53:53' };
}

/** Time that passes 5 ms at each look. */
export function tickingClock(start = 1_800_000_000_000) {
  let ticks = 0;
  return { now: () => start, monotonic: () => (ticks += 5) };
}

/** Everything that discovery asks, scripted; URLs that are not in the web refuse connections. */
export function scripted(zone: Zone, web: Web = {}, random: () => number = () => 0) {
  const dns = scriptedDns(zone);
  const fetched: { url: string; addresses: readonly string[] }[] = [];
  const deps: ResolveDeps = {
    dns,
    clock: tickingClock(),
    random,
    get: ({ url, addresses }) => {
      fetched.push({ url: url.href, addresses });
      const entry = web[url.href] ?? new PorticoError('DIAL_FAILED', `${url.hostname}: ECONNREFUSED.`);
      if (entry instanceof Error) return Promise.reject(entry);
      const { status = 200, body = '', headers = {} } = entry;
      return Promise.resolve({ status, headers, body: Buffer.from(body), address: addresses[0] ?? '' });
    },
  };
  return { deps, dns, fetched };
}
