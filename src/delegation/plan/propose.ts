/** Which form of delegation fits what DNS and the base domain have already. */
import { parseServerName } from '../../base/server-name.ts';
import type { ServerName } from '../../base/server-name.ts';
import { ask } from '../resolve/ask.ts';
import { resolveServerName } from '../resolve/resolve.ts';
import type { Resolution } from '../resolve/types.ts';
import { createHttpsGet } from '../resolve/https-get.ts';
import type { LookDeps } from './look.ts';
import { isOurs } from './own-addresses.ts';
import type { OwnAddresses } from './own-addresses.ts';

/** What was seen of a server name that is to be served. */
export interface ProposalFacts {
  readonly name: ServerName;
  /** Of the base domain; empty: none, or DNS did not answer. */
  readonly addresses: readonly string[];
  /** `m.server` of a valid document. */
  readonly mServer: string | null;
  /** Some web server answers `https://` for the base domain, with whatever. */
  readonly webServer: boolean;
  /** Target of an SRV record, when that is how peers find the server today. */
  readonly srvTarget: string | null;
  /** Why DNS could not be asked; null: it could. */
  readonly problem: string | null;
}

/** What to suggest. */
export interface Proposal {
  readonly delegation: 'none' | 'well-known' | 'srv';
  readonly delegatedName: string | null;
  readonly baseDomain: 'here' | 'elsewhere';
  /** A further host; null: none. */
  readonly host: string | null;
  /** What it follows from, in one sentence. */
  readonly because: string;
}

/** Decides. Pure. */
export function propose(facts: ProposalFacts, own: OwnAddresses): Proposal {
  const { name, addresses, mServer, webServer, srvTarget, problem } = facts;
  const at = { delegatedName: null, host: null, baseDomain: 'here' } as const;
  if (name.isIp || name.port !== undefined) {
    const what = name.isIp ? 'is an IP address' : 'has a port';
    return { ...at, delegation: 'none', because: `${name.text} ${what}, which leaves no other way.` };
  }
  const verdicts = addresses.map((address) => isOurs(address, own));
  const away = verdicts.length > 0 && !verdicts.includes('yes') && (verdicts.includes('no') || webServer);
  const baseDomain = away ? 'elsewhere' : 'here';
  const matrix = `matrix.${name.hostname}`;
  const delegated = mServer === null ? null : parseServerName(mServer.toLowerCase());
  if (delegated !== null && mServer !== null) {
    const because = `https://${name.hostname}/.well-known/matrix/server names ${mServer} today.`;
    return { ...at, delegation: 'well-known', delegatedName: delegated.text, baseDomain, because };
  }
  if (srvTarget !== null) {
    const host = srvTarget === name.hostname ? (away ? matrix : null) : srvTarget;
    return { ...at, delegation: 'srv', baseDomain, host, because: `An SRV record leads to ${srvTarget} today.` };
  }
  if (away) {
    const because = `${name.hostname} is at ${addresses.join(', ')}, which is another web server.`;
    return { ...at, delegation: 'well-known', delegatedName: `${matrix}:443`, baseDomain, because };
  }
  const because =
    problem !== null
      ? `DNS could not be asked (${problem}), and this is the simplest form.`
      : addresses.length === 0
        ? `${name.hostname} has no address yet, and this is the simplest form.`
        : verdicts.includes('unknown')
          ? `Nothing answers at ${name.hostname} yet, and this is the simplest form.`
          : `${name.hostname} leads to this machine.`;
  return { ...at, delegation: 'none', because };
}

/** Looks. What does not answer is not known; nothing here fails. */
export async function proposalFacts(name: ServerName, deps: LookDeps, signal: AbortSignal): Promise<ProposalFacts> {
  const none = { name, addresses: [], mServer: null, webServer: false, srvTarget: null, problem: null };
  if (name.isIp || name.port !== undefined) return none;
  const { dns, clock, random, dial } = deps;
  const resolve = { dns, clock, random, get: createHttpsGet(dial) };
  const [v4, v6, resolution] = await Promise.all([
    ask(dns, name.hostname, 'A', signal),
    ask(dns, name.hostname, 'AAAA', signal),
    resolveServerName(name.text, resolve, signal),
  ]);
  const records = [v4, v6].flatMap((asked) => (asked.kind === 'records' ? asked.records : []));
  const addresses = records.flatMap((record) => ('address' in record ? [record.address] : []));
  const { wellKnown } = resolution;
  return {
    name,
    addresses,
    mServer: wellKnown?.mServer ?? null,
    // Whoever spoke TLS is a web server, also one whose certificate nobody trusts.
    webServer: wellKnown !== null && (wellKnown.status !== null || wellKnown.problemCode === 'TLS_UNTRUSTED'),
    srvTarget: srvTargetOf(resolution),
    problem: v4.kind === 'failed' && v6.kind === 'failed' ? v4.why : null,
  };
}

function srvTargetOf({ step, targets }: Resolution): string | null {
  return step === '4' || step === '5' ? (targets[0]?.addressName ?? null) : null;
}
