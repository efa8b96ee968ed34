/**
 * Which challenges can work for a name, decided from the config before any CA is asked. What cannot work is said with its
 * reason and with what would help, because a CA only ever says "connection refused".
 */
import { canonicalIp } from '../base/certificate.ts';
import type { ChallengeType } from './challenge.ts';

/** A listener as a validator sees it. */
export interface ValidatorPort {
  readonly role: 'https' | 'federation' | 'http';
  /** 0: chosen by the system. */
  readonly port: number;
}

/** What holds for all names of a config. */
export interface ChallengeWorld {
  /** In order of preference. */
  readonly configured: readonly ChallengeType[];
  /** Somebody wrote the list; false: it is the default. */
  readonly chosen: boolean;
  /** DNS records can be made (`acme.dns`). */
  readonly dns: boolean;
  readonly listeners: readonly ValidatorPort[];
}

/** What is known of one name. */
export interface NameFacts {
  /** As in {@link PlannedCertificate.names}. */
  readonly name: string;
  /** Another web server answers for the name (`base_domain: elsewhere`). */
  readonly elsewhere: boolean;
  /** A host of ours that a redirect can point to; null when the site has none besides the name. */
  readonly ourHost: string | null;
}

/** A challenge that can work, with what has to be so for it to work. */
export interface PossibleChallenge {
  readonly type: ChallengeType;
  /** A sentence; null when nothing is special. */
  readonly provided: string | null;
}

/** A challenge that cannot work. */
export interface ImpossibleChallenge {
  readonly type: ChallengeType;
  /** A sentence. */
  readonly why: string;
  /** A sentence about what would help. */
  readonly help: string;
}

/** The configured challenges of one name, each in one of the two lists. */
export interface ChallengeChoice {
  readonly name: string;
  readonly possible: readonly PossibleChallenge[];
  readonly impossible: readonly ImpossibleChallenge[];
}

/** Matrix's federation port, which no validator comes to and nobody forwards 80 or 443 to. */
const FEDERATION_PORT = 8448;

/** Sorts the configured challenges of a name into possible and impossible, both in the configured order. */
export function chooseChallenges(facts: NameFacts, world: ChallengeWorld): ChallengeChoice {
  const possible: PossibleChallenge[] = [];
  const impossible: ImpossibleChallenge[] = [];
  for (const type of new Set(world.configured)) {
    const verdict = judge(type, facts, world);
    if ('why' in verdict) impossible.push({ type, ...verdict });
    else possible.push({ type, ...verdict });
  }
  return { name: facts.name, possible, impossible };
}

/** True when an order for the name can succeed although the name does not resolve to any address. */
export function needsNoAddress(choice: ChallengeChoice): boolean {
  return choice.possible.some(({ type }) => isDnsChallenge(type));
}

type Verdict = { readonly provided: string | null } | { readonly why: string; readonly help: string };

const USE_DNS = 'Use dns-01 (acme.dns says how records are made), or dns-persist-01 where the authority offers it.';

function judge(type: ChallengeType, facts: NameFacts, world: ChallengeWorld): Verdict {
  if (canonicalIp(facts.name) !== null) {
    if (isDnsChallenge(type)) {
      return {
        why: 'An IP address is never proven by DNS (RFC 8738).',
        help: 'Use tls-alpn-01 or http-01.',
      };
    }
  } else if (isDnsChallenge(type)) {
    return judgeDns(type, world);
  }
  if (facts.name.startsWith('*.')) {
    return { why: `A wildcard is proven by DNS only, and ${type} looks at one host.`, help: USE_DNS };
  }
  if (type === 'tls-alpn-01') return judgeTlsAlpn(facts, world);
  return judgeHttp(facts, world);
}

function judgeDns(type: ChallengeType, world: ChallengeWorld): Verdict {
  if (type === 'dns-persist-01') {
    return { provided: 'The authority offers dns-persist-01, and its TXT record has been set.' };
  }
  if (world.dns) return { provided: null };
  return {
    why: 'Nothing says how DNS records are made.',
    help: 'Add acme.dns with one of rfc2136, exec and webhook.',
  };
}

function judgeTlsAlpn(facts: NameFacts, world: ChallengeWorld): Verdict {
  if (facts.elsewhere) {
    return {
      why: `The authority would connect to port 443 of the web server that ${facts.name} points to, which is not Portico, and a TLS handshake cannot be redirected.`,
      help: USE_DNS,
    };
  }
  const ports = world.listeners.flatMap(({ role, port }) =>
    (role === 'https' && port !== FEDERATION_PORT) || (role === 'federation' && port === 443) ? [port] : [],
  );
  return judgePorts(ports, 443, 'an https listener');
}

function judgeHttp(facts: NameFacts, world: ChallengeWorld): Verdict {
  const ports = world.listeners.flatMap(({ role, port }) => (role === 'http' ? [port] : []));
  const verdict = judgePorts(ports, 80, 'an http listener');
  if (!facts.elsewhere || 'why' in verdict) return verdict;
  const redirect = redirectSentence(facts);
  if (world.chosen) return { provided: [redirect, verdict.provided].filter((text) => text !== null).join(' ') };
  return {
    why: `The authority would ask the web server that ${facts.name} points to, which is not Portico.`,
    help: `Write http-01 under acme.challenges once this holds: ${redirect} Or: ${USE_DNS}`,
  };
}

/** HTTP-01 follows redirects, and challenges are answered for any Host. */
function redirectSentence({ name, ourHost }: NameFacts): string {
  const target = ourHost ?? 'A-NAME-THAT-POINTS-TO-PORTICO';
  return `The web server of ${name} redirects http://${name}/.well-known/acme-challenge/* to http://${target}/.well-known/acme-challenge/*.`;
}

function judgePorts(ports: readonly number[], wanted: number, listener: string): Verdict {
  if (ports.includes(wanted)) return { provided: null };
  const [other] = ports;
  if (other !== undefined) {
    return {
      provided: `Port ${String(wanted)} is forwarded to ${other === 0 ? 'the listener' : `port ${String(other)}`} of Portico, because the authority connects to port ${String(wanted)} only.`,
    };
  }
  return {
    why: `The authority connects to port ${String(wanted)} only, and Portico has no listener there.`,
    help: `Add ${listener} on port ${String(wanted)}, or use dns-01, which needs no port at all.`,
  };
}

function isDnsChallenge(type: ChallengeType): boolean {
  return type === 'dns-01' || type === 'dns-persist-01';
}
