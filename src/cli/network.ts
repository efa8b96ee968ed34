/** What the commands that look at the outside have in common: whom they ask for names, whom they trust, whom they dial. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import { createTrust } from '../delegation/outbound/dial.ts';
import type { DialSetting } from '../delegation/outbound/dial.ts';
import { createHttpsGet } from '../delegation/resolve/https-get.ts';
import type { ResolveDeps } from '../delegation/resolve/types.ts';
import { parseDnsServer } from '../dns/server-address.ts';
import { createStubClient } from '../dns/stub-client.ts';
import { resolverServers } from '../dns/system-servers.ts';
import type { Flag, FlagValues } from './command.ts';

/** The flags. */
export const NETWORK_FLAGS = {
  dns: {
    type: 'string',
    value: 'SERVER',
    help: "DNS server to ask, more than one with commas between; else dns.servers of the config, else the system's",
  },
  'ca-file': { type: 'string', value: 'PATH', help: 'trust this CA (PEM) besides the usual ones' },
  'allow-private': { type: 'boolean', help: 'connect to loopback and private addresses, too' },
} as const satisfies Record<string, Flag>;

/** What discovery asks, and how connections are made. */
export interface Network {
  readonly resolve: ResolveDeps;
  readonly dial: DialSetting;
}

/** Long enough for a server at the other end of the world that has just been started. */
const TIMEOUT_MS = 10_000;

/**
 * Reads the flags.
 * @param configured - `dns.servers` of the config; empty without one
 * @throws PorticoError `FLAG_INVALID`
 */
export function openNetwork(flags: FlagValues, configured: readonly string[]): Network {
  const given = typeof flags.dns === 'string' ? flags.dns.split(',').map((text) => text.trim()) : [];
  for (const text of given) {
    if (parseDnsServer(text) !== null) continue;
    throw new PorticoError('FLAG_INVALID', `--dns ${text} is not the address of a DNS server.`, {
      fix: 'Write 192.0.2.53, 192.0.2.53:53, 2001:db8::53 or [2001:db8::53]:53.',
    });
  }
  const caFile = flags['ca-file'];
  const dial: DialSetting = {
    clock: systemClock,
    trust: trustOf(typeof caFile === 'string' ? caFile : null),
    allowPrivate: flags['allow-private'] === true,
    timeoutMs: TIMEOUT_MS,
  };
  const servers = resolverServers(given.length > 0 ? given : configured);
  const dns = createStubClient({ servers, random: randomBytes });
  return { dial, resolve: { dns, get: createHttpsGet(dial), clock: systemClock, random: Math.random } };
}

function trustOf(caFile: string | null): DialSetting['trust'] {
  try {
    return createTrust(caFile === null ? null : readFileSync(caFile, 'utf8'));
  } catch (cause) {
    throw new PorticoError('FLAG_INVALID', `--ca-file ${caFile ?? ''} cannot be used: ${messageOf(cause)}.`, {
      fix: 'Give a file with the certificate of the CA in PEM.',
      cause,
    });
  }
}
