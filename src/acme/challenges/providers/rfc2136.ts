/** Changes DNS by signed updates (RFC 2136, RFC 8945) at the primary server of the zone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../../base/clock.ts';
import { codeOf, PorticoError } from '../../../base/errors.ts';
import { findZone } from '../../../dns/authoritative.ts';
import type { DnsClient } from '../../../dns/dns-client.ts';
import { normalizeName } from '../../../dns/name.ts';
import type { DnsServer } from '../../../dns/server-address.ts';
import { createStubClient } from '../../../dns/stub-client.ts';
import type { TsigAlgorithm, TsigKey } from '../../../dns/tsig.ts';
import { sendUpdate } from '../../../dns/update.ts';
import type { DnsUpdate } from '../../../dns/update-wire.ts';
import type { ChallengeRecord, DnsProvider } from '../dns-provider.ts';

/** Which server, and with which key. */
export interface Rfc2136Options {
  readonly server: DnsServer;
  readonly keyName: string;
  readonly algorithm: TsigAlgorithm;
  /** Reads the secret, base64, each time anew, so that a file can be changed. */
  readonly secret: () => Promise<string>;
}

/** What it works with. */
export interface Rfc2136Deps {
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  readonly clock: Pick<Clock, 'now'>;
  /** Finds the zone when the server itself does not say. */
  readonly resolver: DnsClient;
}

const ATTEMPTS = 3;
const PAUSE_MS = 1000;
/** After these the same update may go through, and doing it twice does no harm. */
const PASSING: readonly string[] = ['DNS_UPDATE_TIMEOUT', 'DNS_UPDATE_UNREACHABLE'];

/** Makes the provider of `acme.dns.rfc2136`. */
export function rfc2136Provider(options: Rfc2136Options, deps: Rfc2136Deps): DnsProvider {
  const primary = createStubClient({ servers: [options.server], random: deps.random, recursion: false });

  async function change(kind: 'add' | 'delete', record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const key = await readKey(options);
    const zone = await zoneOf(record.name, primary, deps.resolver, signal);
    const { name, value: text, ttl } = record;
    const update: DnsUpdate =
      kind === 'delete'
        ? { zone, prerequisites: [], changes: [{ kind, name, text }] }
        : {
            zone,
            // Beside a CNAME the server would ignore the addition without a word (RFC 2136 §3.4.2.2).
            prerequisites: [{ kind: 'rrset-absent', name, type: 'CNAME' }],
            changes: [{ kind, name, text, ttl }],
          };
    for (let attempt = 1; ; attempt++) {
      try {
        await sendUpdate(options.server, update, key, deps, signal);
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || !PASSING.includes(codeOf(error))) throw error;
        await sleep(PAUSE_MS, undefined, { signal });
      }
    }
  }

  return {
    kind: 'rfc2136',
    add: (record, signal) => change('add', record, signal),
    remove: (record, signal) => change('delete', record, signal),
  };
}

/** The server knows its zones best, hidden ones too; one that does not answer strangers leaves it to the resolver. */
async function zoneOf(name: string, primary: DnsClient, resolver: DnsClient, signal: AbortSignal): Promise<string> {
  try {
    return await findZone(name, primary, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof PorticoError)) throw error;
    return findZone(name, resolver, signal);
  }
}

async function readKey({ keyName, algorithm, secret }: Rfc2136Options): Promise<TsigKey> {
  const text = (await secret()).trim();
  const octets = Buffer.from(text, 'base64');
  if (octets.length === 0 || octets.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new PorticoError('DNS_UPDATE_SECRET', `The secret of the TSIG key ${keyName} is not base64.`, {
      fix: 'Copy the secret as the program that made the key printed it (keymgr -t NAME, tsig-keygen), without quotes.',
    });
  }
  return { name: normalizeName(keyName), algorithm, secret: octets };
}
