/**
 * dns-persist-01: a TXT record that stays (draft-ietf-acme-dns-persist). It is set once, by hand or by the provider; from then
 * on nothing has to be changed or waited for.
 */
import type { Clock } from '../../base/clock.ts';
import { PorticoError, messageOf } from '../../base/errors.ts';
import type { DnsClient } from '../../dns/dns-client.ts';
import { definite, followAliases } from '../../dns/authoritative.ts';
import { DNS_PORT, type DnsServer } from '../../dns/server-address.ts';
import { createStubClient } from '../../dns/stub-client.ts';
import type { ChallengeSolver, ChallengeTask } from '../challenge.ts';
import type { DnsProvider } from './dns-provider.ts';
import { missingInPersistRecords, persistRecord, persistRecordName, type PersistNeed } from './persist-record.ts';
import { waitUntilVisible } from './propagation.ts';

/** What it works with. */
export interface DnsPersist01Options {
  /** Recursive. */
  readonly resolver: DnsClient;
  /** Sets a record that is missing, and leaves it; null: a person has to. */
  readonly provider: DnsProvider | null;
  /** `acme.dns.resolvers`, as for dns-01. */
  readonly checkers: readonly DnsServer[];
  readonly clock: Pick<Clock, 'now'>;
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  /** How long a record that the provider set may take to be visible. Default two minutes. */
  readonly patienceMs?: number;
  /** Where authoritative servers listen. Default 53; another one in labs. */
  readonly authoritativePort?: number;
}

const DEFAULT_PATIENCE_MS = 120_000;
const CHECK_TIMEOUT_MS = 3000;
/** It stays, so it may be kept. */
const TTL = 3600;
/** Authorities send no more (draft §3.1); a challenge with none is malformed. */
const MAX_ISSUERS = 10;

/** Makes the solver. */
export function dnsPersist01Solver(options: DnsPersist01Options): ChallengeSolver {
  const { resolver, provider, checkers, clock, random } = options;
  const propagation = {
    resolver,
    checkers,
    patienceMs: options.patienceMs ?? DEFAULT_PATIENCE_MS,
    authoritativePort: options.authoritativePort ?? DNS_PORT,
    clientOf: (server: DnsServer, recursion: boolean) =>
      createStubClient({ servers: [server], random, recursion, rounds: 1, timeoutMs: CHECK_TIMEOUT_MS }),
  };

  async function valuesAt(name: string, signal: AbortSignal): Promise<readonly string[]> {
    try {
      const { answers } = definite(await resolver.query(name, 'TXT', { signal }), name);
      return answers.flatMap((record) => (record.type === 'TXT' ? [record.text] : []));
    } catch (error) {
      signal.throwIfAborted();
      const fix = error instanceof PorticoError && error.fix !== undefined ? { fix: error.fix } : {};
      throw new PorticoError('ACME_CHALLENGE_DNS_LOOKUP', `${name} could not be looked up: ${messageOf(error)}`, {
        ...fix,
        cause: error,
      });
    }
  }

  async function setUp(setting: DnsProvider, name: string, value: string, signal: AbortSignal): Promise<void> {
    try {
      const target = await followAliases(name, resolver, signal);
      await setting.add({ name: target, value, ttl: TTL }, signal);
      await waitUntilVisible(target, value, propagation, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PorticoError && error.code === 'ACME_CHALLENGE_DNS_PROPAGATION') throw error;
      const fix = error instanceof PorticoError && error.fix !== undefined ? { fix: error.fix } : {};
      throw new PorticoError(
        'ACME_CHALLENGE_DNS_RECORD',
        `The TXT record at ${name} could not be made: ${messageOf(error)}`,
        {
          ...fix,
          cause: error,
        },
      );
    }
  }

  return {
    type: 'dns-persist-01',

    async present(task, signal) {
      const { name, need, value } = wanted(task, clock);
      const missing = missingInPersistRecords(await valuesAt(name, signal), need);
      if (missing === null) return;
      if (provider !== null) {
        await setUp(provider, name, value, signal);
        return;
      }
      throw new PorticoError(
        'ACME_CHALLENGE_DNS_PERSIST',
        `No TXT record at ${name} lets this account have certificates: ${missing}.`,
        {
          fix: `Add this record, once, and leave it: ${name}. ${String(TTL)} IN TXT "${value}"`,
        },
      );
    },

    /** It is there to stay. */
    cleanUp: () => Promise.resolve(),
  };
}

/** What has to be there, and how it is written when it is not. */
function wanted(
  task: ChallengeTask,
  clock: Pick<Clock, 'now'>,
): { readonly name: string; readonly need: PersistNeed; readonly value: string } {
  const { identifier, issuerDomainNames, accountUri, wildcard } = task;
  if (identifier.type === 'ip') {
    throw new PorticoError('ACME_CHALLENGE_DNS_IP', `${identifier.value} is an IP address, which has no DNS record.`, {
      fix: 'Allow http-01 or tls-alpn-01 in acme.challenges.',
    });
  }
  const [issuer] = issuerDomainNames;
  if (issuer === undefined || issuerDomainNames.length > MAX_ISSUERS) {
    throw new PorticoError(
      'ACME_CHALLENGE_MALFORMED',
      `The authority names ${String(issuerDomainNames.length)} issuer domains in its dns-persist-01 challenge; 1 to 10 are allowed.`,
      { fix: 'Use another challenge with this authority, and tell its operators.' },
    );
  }
  const need = { issuers: issuerDomainNames, accountUri, wildcard, now: Math.floor(clock.now() / 1000) };
  const value = persistRecord({ issuer, accountUri, wildcard, persistUntil: null });
  return { name: persistRecordName(identifier.value), need, value };
}
