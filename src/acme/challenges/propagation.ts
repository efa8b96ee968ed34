/**
 * Waits until a TXT value is there for whoever asks: at every server of the zone, since an authority may ask any of them, or at
 * the resolvers that the config names.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PorticoError } from '../../base/errors.ts';
import { queryEach, zoneServers, type ServerReply } from '../../dns/authoritative.ts';
import type { DnsAnswer, DnsClient } from '../../dns/dns-client.ts';
import { formatDnsServer, type DnsServer } from '../../dns/server-address.ts';

/** Whom to ask, and how. */
export interface PropagationOptions {
  /** Recursive; finds the servers of the zone. */
  readonly resolver: DnsClient;
  /** Asked instead of the servers of the zone, when there are any. */
  readonly checkers: readonly DnsServer[];
  /** A client that asks this one server only. */
  readonly clientOf: (server: DnsServer, recursion: boolean) => DnsClient;
  /** In all. */
  readonly patienceMs: number;
  /** Where authoritative servers listen. */
  readonly authoritativePort: number;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** An address that gave no useful answer so often is taken for dead: an authority will turn to the others, as we do. */
const SILENCES = 2;

/**
 * Resolves when every server that has the zone and answers has the value, and at least one does.
 * @param name - of the record, with aliases followed
 * @throws PorticoError `ACME_CHALLENGE_DNS_PROPAGATION` with what each server said last; the reason of the signal
 */
export async function waitUntilVisible(
  name: string,
  value: string,
  options: PropagationOptions,
  signal: AbortSignal,
): Promise<void> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(options.patienceMs)]);
  const silences = new Map<string, number>();
  let servers: readonly DnsServer[] | null = options.checkers.length > 0 ? options.checkers : null;
  const recursion = options.checkers.length > 0;
  let seen: readonly string[] = ['nothing was asked in this time'];
  try {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        servers ??= (await zoneServers(name, options.resolver, bound, options.authoritativePort)).servers;
        const clientOf = (server: DnsServer): DnsClient => options.clientOf(server, recursion);
        const replies = await queryEach(servers, clientOf, name, 'TXT', bound);
        seen = missingAt(replies, value, recursion, silences);
        if (seen.length === 0) return;
      } catch (error) {
        // The zone's servers may be found at the next look.
        if (!(error instanceof PorticoError)) throw error;
        seen = [error.message];
      }
      await sleep(pause, undefined, { signal: bound });
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (!bound.aborted) throw cause;
    const where = `${String(options.patienceMs / 1000)} s after ${name} was given the TXT value ${value}`;
    throw new PorticoError(
      'ACME_CHALLENGE_DNS_PROPAGATION',
      `${where}, not every DNS server has it: ${seen.join('; ')}.`,
      {
        fix: 'See that the primary server tells the others of changes (NOTIFY), or correct the NS records of the zone; if its servers cannot be asked from here, name resolvers in acme.dns.resolvers.',
      },
    );
  }
}

/** What keeps the value from being there for everyone, one entry a server; counts silences on the way. */
function missingAt(
  replies: readonly ServerReply[],
  value: string,
  recursion: boolean,
  silences: Map<string, number>,
): string[] {
  const missing: string[] = [];
  const useless: string[] = [];
  let having = 0;
  for (const reply of replies) {
    const server = formatDnsServer(reply.server);
    if ('answer' in reply && knows(reply.answer, recursion)) {
      silences.delete(server);
      if (reply.answer.answers.some((record) => record.type === 'TXT' && record.text === value)) having++;
      else missing.push(`${server} has ${reply.answer.rcode === 'NXDOMAIN' ? 'no such name' : 'other values or none'}`);
      continue;
    }
    const count = (silences.get(server) ?? 0) + 1;
    silences.set(server, count);
    const what = 'answer' in reply ? `${server} says ${reply.answer.rcode}` : `${server}: ${reply.error.message}`;
    useless.push(what);
    // An address that cannot be reached, such as one of IPv6 where there is none, will not be there next time either.
    const unreachable = 'error' in reply && reply.error.code === 'DNS_UNREACHABLE';
    if (!unreachable && count < SILENCES) missing.push(what);
  }
  return missing.length === 0 && having === 0 ? useless : missing;
}

/** False for servers that fail, or that the zone names but that do not have it. */
function knows({ rcode, authoritative }: DnsAnswer, recursion: boolean): boolean {
  return (rcode === 'NOERROR' || rcode === 'NXDOMAIN') && (recursion || authoritative);
}
