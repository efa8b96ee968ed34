/**
 * One question to DNS, with CNAME records followed to their end, also where the server leaves that to the asker; and the
 * addresses of a name in both families.
 */
import { codeOf, messageOf, PorticoError } from '../../base/errors.ts';
import type { DnsAnswer, DnsClient, DnsRecord, DnsType } from '../../dns/dns-client.ts';
import type { StepContext, StepNumber } from './types.ts';

/** What DNS said. */
export type Asked =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[]; readonly aliases: readonly string[] }
  /** There is no such record, by NXDOMAIN or by an empty answer. */
  | { readonly kind: 'absent'; readonly why: string; readonly aliases: readonly string[] }
  /** Nobody can say whether there is one: SERVFAIL, REFUSED, no answer. */
  | {
      readonly kind: 'failed';
      readonly why: string;
      /** What to do when it is our own side that cannot ask. */
      readonly fix?: string | undefined;
    };

/** The addresses of a name. */
export interface Addresses {
  /** IPv4 first, each once. */
  readonly addresses: readonly string[];
  /** Names that CNAME records led through; the first is what the name itself points to. */
  readonly aliases: readonly string[];
  /** Why there are none; null when there are. */
  readonly problem: string | null;
  /** What to do about it, when it is our own side that cannot ask. */
  readonly fix?: string | undefined;
}

/** Longest chain of CNAME records followed; resolvers give up at about as many. */
const MAX_ALIASES = 10;
/** Most addresses of one name that are kept. */
const MAX_ADDRESSES = 16;

/** Asks one question and follows its CNAME records. */
export async function ask(dns: DnsClient, name: string, type: DnsType, signal?: AbortSignal): Promise<Asked> {
  const aliases: string[] = [];
  let current = name.toLowerCase();
  for (;;) {
    let answer: DnsAnswer;
    try {
      answer = await dns.query(current, type, signal === undefined ? {} : { signal });
    } catch (error) {
      const fix = error instanceof PorticoError ? error.fix : undefined;
      return { kind: 'failed', why: `${codeOf(error)}: ${messageOf(error).replace(/\.$/, '')}`, fix };
    }
    if (answer.rcode !== 'NOERROR' && answer.rcode !== 'NXDOMAIN') {
      return { kind: 'failed', why: `${answer.rcode} from ${answer.server}` };
    }
    const asked = current;
    for (let alias = aliasOf(answer, current); alias !== null; alias = aliasOf(answer, current)) {
      if (aliases.includes(alias) || alias === name.toLowerCase())
        return { kind: 'failed', why: 'CNAME records in a circle' };
      aliases.push(alias);
      if (aliases.length > MAX_ALIASES)
        return { kind: 'failed', why: `more than ${String(MAX_ALIASES)} CNAME records in a row` };
      current = alias;
    }
    const records = answer.answers.filter((record) => record.type === type && record.name === current);
    if (records.length > 0) return { kind: 'records', records, aliases };
    if (answer.rcode === 'NXDOMAIN') return { kind: 'absent', why: 'NXDOMAIN', aliases };
    if (current === asked) return { kind: 'absent', why: `no ${type} record`, aliases };
  }
}

/** The addresses of a name, A and AAAA, each look-up noted on the trail. */
export async function addressesOf(context: StepContext, step: StepNumber, name: string): Promise<Addresses> {
  const [v4, v6] = await Promise.all([family(context, step, name, 'A'), family(context, step, name, 'AAAA')]);
  const addresses = [...new Set([...v4.addresses, ...v6.addresses])].slice(0, MAX_ADDRESSES);
  const aliases = v4.aliases.length > 0 ? v4.aliases : v6.aliases;
  if (addresses.length === 0) {
    const why = v4.problem === v6.problem ? v4.problem : `A: ${v4.problem ?? ''}, AAAA: ${v6.problem ?? ''}`;
    return { addresses, aliases, problem: why ?? 'no address', fix: v4.fix ?? v6.fix };
  }
  for (const [type, { failed, problem }] of [
    ['A', v4],
    ['AAAA', v6],
  ] as const) {
    if (failed)
      context.trail.warn(step, 'family-lookup-failed', `The ${type} look-up of ${name} failed: ${problem ?? ''}.`);
  }
  return { addresses, aliases, problem: null };
}

interface Family extends Addresses {
  readonly failed: boolean;
}

async function family(context: StepContext, step: StepNumber, name: string, type: 'A' | 'AAAA'): Promise<Family> {
  const note = context.trail.start(step, `${type} ${name}`);
  const asked = await ask(context.dns, name, type, context.signal);
  if (asked.kind !== 'records') {
    note(asked.kind, asked.why);
    const aliases = asked.kind === 'absent' ? asked.aliases : [];
    const fix = asked.kind === 'failed' ? asked.fix : undefined;
    return { addresses: [], aliases, problem: asked.why, fix, failed: asked.kind === 'failed' };
  }
  const addresses = asked.records.flatMap((record) => ('address' in record ? [record.address] : []));
  const via = asked.aliases.length === 0 ? '' : ` (CNAME ${asked.aliases.join(' → ')})`;
  note('found', `${addresses.join(', ')}${via}`);
  return { addresses, aliases: asked.aliases, problem: null, failed: false };
}

function aliasOf(answer: DnsAnswer, name: string): string | null {
  const record = answer.answers.find((candidate) => candidate.type === 'CNAME' && candidate.name === name);
  return record !== undefined && 'target' in record ? record.target : null;
}
