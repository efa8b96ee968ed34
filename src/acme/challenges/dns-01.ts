/** dns-01: a TXT record with a hash of the key authorization (RFC 8555 §8.4). The only challenge that also does for wildcards. */
import { createHash } from 'node:crypto';
import { codeOf, messageOf, PorticoError } from '../../base/errors.ts';
import { followAliases } from '../../dns/authoritative.ts';
import type { DnsClient } from '../../dns/dns-client.ts';
import { DNS_PORT, type DnsServer } from '../../dns/server-address.ts';
import { createStubClient } from '../../dns/stub-client.ts';
import type { ChallengeSolver, ChallengeTask } from '../challenge.ts';
import type { ChallengeRecord, DnsProvider } from './dns-provider.ts';
import { waitUntilVisible } from './propagation.ts';

/** What it works with. */
export interface Dns01Options {
  readonly provider: DnsProvider;
  /** Recursive; follows aliases and finds the servers of zones. */
  readonly resolver: DnsClient;
  /** `acme.dns.resolvers`: asked whether the record is visible; empty: the servers of its zone. */
  readonly checkers: readonly DnsServer[];
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  /** Of the records made, in seconds. Default 60. */
  readonly ttl?: number;
  /** How long a record may take to be visible. Default two minutes. */
  readonly patienceMs?: number;
  /** Where authoritative servers listen. Default 53; another one in labs. */
  readonly authoritativePort?: number;
}

const DEFAULT_TTL = 60;
const DEFAULT_PATIENCE_MS = 120_000;
const CLEAN_UP_MS = 60_000;
/** For each question to one server while waiting; the next round comes soon. */
const CHECK_TIMEOUT_MS = 3000;

/** A record that is there for so many tasks: an authority may hand the same challenge to two orders. */
interface Presented {
  readonly record: ChallengeRecord;
  tasks: number;
}

/** The name that the authority asks for. @param name - without `*.` */
export function dns01Name(name: string): string {
  return `_acme-challenge.${name}`;
}

/** What it expects there. */
export function dns01Value(keyAuthorization: string): string {
  return createHash('sha256').update(keyAuthorization).digest('base64url');
}

/** Makes the solver. */
export function dns01Solver(options: Dns01Options): ChallengeSolver {
  const { provider, resolver, random, checkers, ttl = DEFAULT_TTL } = options;
  const presented = new Map<string, Presented>();
  const propagation = {
    resolver,
    checkers,
    patienceMs: options.patienceMs ?? DEFAULT_PATIENCE_MS,
    authoritativePort: options.authoritativePort ?? DNS_PORT,
    clientOf: (server: DnsServer, recursion: boolean) =>
      createStubClient({ servers: [server], random, recursion, rounds: 1, timeoutMs: CHECK_TIMEOUT_MS }),
  };

  async function recordFor(task: ChallengeTask, signal: AbortSignal): Promise<ChallengeRecord> {
    const name = dns01Name(task.identifier.value);
    try {
      const target = await followAliases(name, resolver, signal);
      return { name: target, value: dns01Value(task.keyAuthorization), ttl };
    } catch (error) {
      signal.throwIfAborted();
      throw wrapped('ACME_CHALLENGE_DNS_LOOKUP', `It could not be found out where ${name} leads`, error);
    }
  }

  /** Once for each task that was presented; the last one takes the record away. */
  async function takeAway(key: string, fallback: () => Promise<ChallengeRecord>, signal: AbortSignal): Promise<void> {
    const entry = presented.get(key);
    if (entry !== undefined && --entry.tasks > 0) return;
    presented.delete(key);
    await provider.remove(entry?.record ?? (await fallback()), signal);
  }

  return {
    type: 'dns-01',

    async present(task, signal) {
      if (task.identifier.type === 'ip') {
        throw new PorticoError(
          'ACME_CHALLENGE_DNS_IP',
          `${task.identifier.value} is an IP address, which has no DNS record.`,
          {
            fix: 'Allow http-01 or tls-alpn-01 in acme.challenges.',
          },
        );
      }
      const record = await recordFor(task, signal);
      const key = keyOf(task);
      const entry = presented.get(key) ?? { record, tasks: 0 };
      entry.tasks++;
      presented.set(key, entry);
      try {
        await addRecord(provider, entry.record, signal);
        await waitUntilVisible(entry.record.name, record.value, propagation, signal);
      } catch (error) {
        // Whether the record was made may not be known; removing one that is not there is no mistake.
        const left = await takeAway(key, () => Promise.resolve(record), AbortSignal.timeout(CLEAN_UP_MS)).then(
          () => null,
          (reason: unknown) => reason,
        );
        // What kept it from being made keeps it from being removed, and was said once.
        if (left === null || !(error instanceof PorticoError) || codeOf(left) === codeOf(error.cause)) throw error;
        const message = `${error.message} The record could not be removed again: ${messageOf(left)}`;
        throw new PorticoError(error.code, message, {
          ...(error.fix === undefined ? {} : { fix: error.fix }),
          cause: error.cause ?? left,
        });
      }
    },

    async cleanUp(task) {
      const signal = AbortSignal.timeout(CLEAN_UP_MS);
      try {
        await takeAway(keyOf(task), () => recordFor(task, signal), signal);
      } catch (error) {
        const name = dns01Name(task.identifier.value);
        throw wrapped('ACME_CHALLENGE_DNS_CLEAN_UP', `The TXT value for ${name} could not be removed`, error);
      }
    },
  };
}

async function addRecord(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<void> {
  try {
    await provider.add(record, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw wrapped('ACME_CHALLENGE_DNS_RECORD', `The TXT record at ${record.name} could not be made`, error);
  }
}

/** The name and its value, which is a hash and so no secret. */
function keyOf(task: ChallengeTask): string {
  return `${task.identifier.value} ${dns01Value(task.keyAuthorization)}`;
}

/** Says what was attempted; what went wrong and what to do about it is in the error underneath. */
function wrapped(code: string, what: string, error: unknown): PorticoError {
  const fix = error instanceof PorticoError ? error.fix : undefined;
  return new PorticoError(code, `${what}: ${messageOf(error)}`, {
    ...(fix === undefined ? {} : { fix }),
    cause: error,
  });
}
