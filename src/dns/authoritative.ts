/**
 * What the servers of a zone themselves say, past all caches: where the zone of a name begins, which servers it has, and the
 * same question put to each of them.
 */
import { PorticoError } from '../base/errors.ts';
import type { DnsAnswer, DnsClient, DnsType } from './dns-client.ts';
import { isAtOrBelow, normalizeName, parentName } from './name.ts';
import { DNS_PORT, type DnsServer } from './server-address.ts';

/** Longer chains are somebody's mistake, and resolvers give up on them, too. */
const MAX_ALIASES = 12;
/** Bounds on what a zone can make us ask. */
const MAX_NAME_SERVERS = 16;
const MAX_ADDRESSES = 32;

/** The servers of one zone. */
export interface ZoneServers {
  readonly zone: string;
  /** Every address of every name server, of both families. */
  readonly servers: readonly DnsServer[];
  /** Name servers without any address; a delegation like that is broken. */
  readonly withoutAddress: readonly string[];
}

/** What one of several servers said, or why it said nothing. */
export type ServerReply =
  | { readonly server: DnsServer; readonly answer: DnsAnswer }
  | { readonly server: DnsServer; readonly error: PorticoError };

/**
 * Finds the zone that a name belongs to, by asking for SOA records from the name upwards.
 * @param client - for a recursive resolver, or for an authoritative server of the zone
 * @throws PorticoError as the client does, and `DNS_NO_ZONE`
 */
export async function findZone(name: string, client: DnsClient, signal?: AbortSignal): Promise<string> {
  const start = normalizeName(name);
  let last: DnsAnswer | null = null;
  for (let at: string | null = start; at !== null && at !== ''; at = parentName(at)) {
    last = await client.query(at, 'SOA', options(signal));
    const zone = zoneIn(last, at);
    if (zone !== null) return zone;
  }
  throw new PorticoError(
    'DNS_NO_ZONE',
    `No zone was found that ${start} belongs to (last answer: ${describe(last)}).`,
    {
      fix: 'See that the domain is registered and that its DNS servers answer for it.',
    },
  );
}

/** The name's own SOA, or that of the zone which says that there is none, or a delegation further down. */
function zoneIn(answer: DnsAnswer, name: string): string | null {
  if (answer.rcode !== 'NOERROR' && answer.rcode !== 'NXDOMAIN') return null;
  if (answer.answers.some((record) => record.type === 'SOA' && record.name === name)) return name;
  // An alias leads elsewhere, and so does the SOA in such an answer: the name's own zone is further up.
  if (answer.answers.some((record) => record.type === 'CNAME' && record.name === name)) return null;
  const above = answer.authority.filter((record) => record.name !== '' && isAtOrBelow(name, record.name));
  return (above.find(({ type }) => type === 'SOA') ?? above.find(({ type }) => type === 'NS'))?.name ?? null;
}

function describe(answer: DnsAnswer | null): string {
  return answer === null ? 'none' : `${answer.rcode} from ${answer.server}`;
}

/**
 * Finds all servers of the zone that a name belongs to.
 * @param resolver - a recursive one
 * @param port - where they listen; other than 53 in tests only
 * @throws PorticoError as the client does, `DNS_NO_ZONE`, `DNS_SERVER_FAILURE`, and `DNS_NO_SERVERS` when no name
 * server has an address
 */
export async function zoneServers(
  name: string,
  resolver: DnsClient,
  signal?: AbortSignal,
  port: number = DNS_PORT,
): Promise<ZoneServers> {
  const zone = await findZone(name, resolver, signal);
  const { answers } = definite(await resolver.query(zone, 'NS', options(signal)), zone);
  const names = new Set(answers.flatMap((record) => (record.type === 'NS' ? [record.target] : [])));
  const found = await Promise.all(
    [...names]
      .slice(0, MAX_NAME_SERVERS)
      .map(async (target) => ({ target, found: await addresses(target, resolver, signal) })),
  );
  const all = new Set(found.flatMap((one) => one.found));
  if (all.size === 0) {
    const seen =
      names.size === 0 ? 'has no NS records' : `has only name servers without address: ${[...names].join(', ')}`;
    throw new PorticoError('DNS_NO_SERVERS', `The zone ${zone} ${seen}.`, {
      fix: 'Correct the NS records of the zone and the addresses they lead to.',
    });
  }
  return {
    zone,
    servers: [...all].slice(0, MAX_ADDRESSES).map((address) => ({ address, port })),
    withoutAddress: found.flatMap((one) => (one.found.length === 0 ? [one.target] : [])),
  };
}

/** None when they cannot be found out: one name server of several that is gone keeps nobody from the others. */
async function addresses(name: string, resolver: DnsClient, signal: AbortSignal | undefined): Promise<string[]> {
  const answers = await Promise.all(
    (['A', 'AAAA'] as const).map(async (type) => {
      try {
        return (await resolver.query(name, type, options(signal))).answers;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PorticoError)) throw error;
        return [];
      }
    }),
  );
  return answers.flat().flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.address] : []));
}

/**
 * The answer itself when it says what there is and what there is not.
 * @throws PorticoError `DNS_SERVER_FAILURE` for all response codes but NOERROR and NXDOMAIN
 */
export function definite(answer: DnsAnswer, name: string): DnsAnswer {
  if (answer.rcode === 'NOERROR' || answer.rcode === 'NXDOMAIN') return answer;
  throw new PorticoError(
    'DNS_SERVER_FAILURE',
    `The DNS server ${answer.server} says ${answer.rcode} about ${name || '.'}.`,
    {
      fix: 'See that the DNS servers of the zone answer, and that its signatures (DNSSEC) are right.',
    },
  );
}

/**
 * Puts one question to each server, all at the same time.
 * @param clientOf - makes a client that asks only this server, without recursion for authoritative ones
 * @returns in the order of the servers
 * @throws the reason of the signal; whatever else goes wrong with a server is its reply
 */
export async function queryEach(
  servers: readonly DnsServer[],
  clientOf: (server: DnsServer) => DnsClient,
  name: string,
  type: DnsType,
  signal?: AbortSignal,
): Promise<readonly ServerReply[]> {
  return Promise.all(
    servers.map(async (server): Promise<ServerReply> => {
      try {
        return { server, answer: await clientOf(server).query(name, type, options(signal)) };
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PorticoError)) throw error;
        return { server, error };
      }
    }),
  );
}

/**
 * Follows the aliases of a name to where its records are.
 * @returns the name itself when it is no alias
 * @throws PorticoError as the client does, `DNS_SERVER_FAILURE` and `DNS_ALIAS_LOOP`
 */
export async function followAliases(name: string, client: DnsClient, signal?: AbortSignal): Promise<string> {
  const seen = [normalizeName(name)];
  for (let at = seen[0] ?? ''; ;) {
    const { answers } = definite(await client.query(at, 'CNAME', options(signal)), at);
    const next = answers.find((record) => record.type === 'CNAME' && record.name === at);
    if (next?.type !== 'CNAME') return at;
    at = next.target;
    if (seen.includes(at) || seen.length > MAX_ALIASES) {
      throw new PorticoError('DNS_ALIAS_LOOP', `The aliases of ${name} lead nowhere: ${[...seen, at].join(' → ')}.`, {
        fix: 'Correct the CNAME records, so that they end at a name without one.',
      });
    }
    seen.push(at);
  }
}

/** With `exactOptionalPropertyTypes` an absent signal must not be there at all. */
function options(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
