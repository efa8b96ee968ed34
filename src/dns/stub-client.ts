/**
 * A DNS client for servers that are named: over UDP with a random id and port, over TCP when the answer was cut off, the
 * servers in turn, each a bounded number of times.
 */
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import type { DnsAnswer, DnsClient, DnsType } from './dns-client.ts';
import { MalformedMessage } from './framing.ts';
import { normalizeName } from './name.ts';
import { formatDnsServer, type DnsServer } from './server-address.ts';
import { BadAnswer, exchangeTcp, exchangeUdp, NoAnswerInTime, type ExchangeLimits } from './transport.ts';
import { encodeQuestion, receive, type AnswerContent, type Question } from './wire.ts';

/** Which servers, and how patiently. */
export interface StubClientOptions {
  /** In order of preference; empty: every query fails with `DNS_UNREACHABLE`. */
  readonly servers: readonly DnsServer[];
  /** Cryptographically strong: ids come from it. */
  readonly random: (size: number) => Buffer;
  /** For each attempt at each server. Default 2500. */
  readonly timeoutMs?: number;
  /** How often the list of servers is gone through. Default 2. */
  readonly rounds?: number;
  /** Largest answer taken. Default 32768. */
  readonly maxOctets?: number;
  /** Whether the servers are asked to look further for us. Default true; false for authoritative servers. */
  readonly recursion?: boolean;
}

const DEFAULT_TIMEOUT_MS = 2500;
const DEFAULT_ROUNDS = 2;
const DEFAULT_MAX_OCTETS = 32_768;

/** A server that says one of these may be of no use where the next one is; the last such answer counts when all say so. */
const WORTH_ASKING_ANOTHER: readonly string[] = ['SERVFAIL', 'NOTIMP', 'REFUSED'];

/** The system's way of saying that nobody is there. */
type FailureCode = 'DNS_MALFORMED' | 'DNS_TIMEOUT' | 'DNS_UNREACHABLE';

interface Failure {
  readonly server: DnsServer;
  readonly code: FailureCode;
  readonly message: string;
}

/** Makes a client. It holds no sockets between queries, so there is nothing to close. */
export function createStubClient(options: StubClientOptions): DnsClient {
  return { query: (name, type, { signal } = {}) => query(options, name, type, signal) };
}

async function query(
  options: StubClientOptions,
  name: string,
  type: DnsType,
  signal: AbortSignal | undefined,
): Promise<DnsAnswer> {
  const question: Question = { name: normalizeName(name), type, recursion: options.recursion ?? true, edns: true };
  const failures: Failure[] = [];
  let refusal: DnsAnswer | null = null;
  const refusedBy = new Set<DnsServer>();
  for (let round = 0; round < (options.rounds ?? DEFAULT_ROUNDS); round++) {
    for (const server of options.servers) {
      if (refusedBy.has(server)) continue;
      try {
        const answer = await ask(server, question, options, signal);
        if (!WORTH_ASKING_ANOTHER.includes(answer.rcode)) return answer;
        refusal ??= answer;
        refusedBy.add(server);
      } catch (error) {
        signal?.throwIfAborted();
        failures.push({ server, code: failureCode(error), message: messageOf(error) });
      }
    }
    if (refusal !== null) return refusal;
  }
  throw unanswered(question, failures);
}

async function ask(
  server: DnsServer,
  question: Question,
  options: StubClientOptions,
  signal: AbortSignal | undefined,
): Promise<DnsAnswer> {
  const limits: ExchangeLimits = {
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxOctets: options.maxOctets ?? DEFAULT_MAX_OCTETS,
    signal,
  };
  let content = await exchange(server, question, options.random, limits);
  // A server from before EDNS cannot read the question with it (RFC 6891 §7).
  if (question.edns && !content.edns && (content.rcode === 'FORMERR' || content.rcode === 'NOTIMP')) {
    content = await exchange(server, { ...question, edns: false }, options.random, limits);
  }
  const { rcode, answers, authority, authoritative } = content;
  return { rcode, answers, authority, authoritative, server: formatDnsServer(server) };
}

async function exchange(
  server: DnsServer,
  question: Question,
  random: StubClientOptions['random'],
  limits: ExchangeLimits,
): Promise<AnswerContent> {
  const udpId = random(2).readUInt16BE(0);
  const overUdp = await exchangeUdp(server, encodeQuestion(udpId, question), limits, (message) => {
    const reception = receive(message, udpId, question);
    return reception.kind === 'stray' ? undefined : reception;
  });
  if (overUdp.kind === 'answer') return overUdp.answer;
  const tcpId = random(2).readUInt16BE(0);
  const overTcp = receive(await exchangeTcp(server, encodeQuestion(tcpId, question), limits), tcpId, question);
  if (overTcp.kind === 'answer') return overTcp.answer;
  throw new BadAnswer(
    overTcp.kind === 'stray'
      ? 'the answer over TCP does not belong to the question'
      : 'the answer is cut off over TCP too',
  );
}

function failureCode(error: unknown): FailureCode {
  if (error instanceof MalformedMessage || error instanceof BadAnswer) return 'DNS_MALFORMED';
  return error instanceof NoAnswerInTime || codeOf(error) === 'ETIMEDOUT' ? 'DNS_TIMEOUT' : 'DNS_UNREACHABLE';
}

const FIXES: Readonly<Record<FailureCode, string>> = {
  DNS_MALFORMED: 'Ask another DNS server (dns.servers), or see what changes DNS messages on the way to this one.',
  DNS_TIMEOUT: 'See that UDP and TCP port 53 pass between here and the DNS servers, or name others in dns.servers.',
  DNS_UNREACHABLE: 'See that the DNS servers run and can be reached from here, or name others in dns.servers.',
};

/** What every server did, under the code that says most: one that answers badly is there, one that is slow may be. */
function unanswered(question: Question, failures: readonly Failure[]): PorticoError {
  const code =
    (['DNS_MALFORMED', 'DNS_TIMEOUT'] as const).find((one) => failures.some((failure) => failure.code === one)) ??
    'DNS_UNREACHABLE';
  const told = new Set(failures.map(({ server, message }) => `${formatDnsServer(server)}: ${message}`));
  const what = told.size === 0 ? 'there is no DNS server to ask' : [...told].join('; ');
  return new PorticoError(code, `No DNS server answered for ${question.name || '.'} ${question.type}: ${what}.`, {
    fix: FIXES[code],
  });
}
