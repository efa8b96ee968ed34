/**
 * Changes records of a zone at its primary server: UPDATE (RFC 2136) signed with TSIG, over TCP, and believed only when the
 * response is signed too. Doing the same update twice changes nothing more, so one whose outcome is not known may be repeated.
 */
import type { Clock } from '../base/clock.ts';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { MalformedMessage } from './framing.ts';
import { formatDnsServer, type DnsServer } from './server-address.ts';
import { BadAnswer, exchangeTcp, NoAnswerInTime } from './transport.ts';
import { signRequest, verifyResponse, type TsigKey, type TsigVerdict } from './tsig.ts';
import { decodeUpdateResponse, encodeUpdate, type DnsUpdate, type UpdateRcode } from './update-wire.ts';

/** What an update needs. */
export interface UpdateDeps {
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  readonly clock: Pick<Clock, 'now'>;
  /** Default 10000. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** A response holds a header, the zone and a signature. */
const MAX_RESPONSE_OCTETS = 4096;

/**
 * Sends the update and resolves when it is done.
 * @throws PorticoError `DNS_UPDATE_KEY`, `DNS_UPDATE_SIGNATURE`, `DNS_UPDATE_TIME` (the server does not take our signature),
 * `DNS_UPDATE_PREREQUISITE`, `DNS_UPDATE_REFUSED`, `DNS_UPDATE_UNVERIFIED` (the response is not the key holder's),
 * `DNS_UPDATE_TIMEOUT`, `DNS_UPDATE_UNREACHABLE`; the reason of the signal
 */
export async function sendUpdate(
  server: DnsServer,
  update: DnsUpdate,
  key: TsigKey,
  deps: UpdateDeps,
  signal?: AbortSignal,
): Promise<void> {
  const id = deps.random(2).readUInt16BE(0);
  const seconds = (): number => Math.floor(deps.clock.now() / 1000);
  const { message, mac } = signRequest(encodeUpdate(id, update), key, seconds());
  const at: Place = { server: formatDnsServer(server), zone: update.zone || '.', key };
  let response: Buffer;
  let rcode: UpdateRcode;
  let verdict: TsigVerdict;
  try {
    const timeoutMs = deps.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    response = await exchangeTcp(server, message, { timeoutMs, maxOctets: MAX_RESPONSE_OCTETS, signal });
    rcode = decodeUpdateResponse(response, id);
    verdict = verifyResponse(response, key, mac, seconds());
  } catch (error) {
    signal?.throwIfAborted();
    throw exchangeFailure(error, at);
  }
  const trouble = signatureTrouble(verdict, rcode, at) ?? rcodeTrouble(rcode, update, at);
  if (trouble !== null) throw trouble;
}

/** For messages. */
interface Place {
  readonly server: string;
  readonly zone: string;
  readonly key: TsigKey;
}

function exchangeFailure(error: unknown, { server }: Place): PorticoError {
  if (error instanceof NoAnswerInTime || codeOf(error) === 'ETIMEDOUT') {
    return new PorticoError('DNS_UPDATE_TIMEOUT', `The DNS server ${server} did not answer an update in time.`, {
      fix: 'See that TCP to this address and port passes, and that the server is not overloaded.',
      cause: error,
    });
  }
  if (error instanceof MalformedMessage || error instanceof BadAnswer) {
    return new PorticoError(
      'DNS_UPDATE_UNVERIFIED',
      `What the DNS server ${server} answered to an update cannot be used: ${messageOf(error)}.`,
      { fix: 'See that this is the address of the primary server of the zone, and that nothing stands in between.' },
    );
  }
  return new PorticoError(
    'DNS_UPDATE_UNREACHABLE',
    `The DNS server ${server} cannot be reached: ${messageOf(error)}.`,
    {
      fix: 'Correct the address in acme.dns.rfc2136.server, or let TCP to this address and port pass.',
      cause: error,
    },
  );
}

function signatureTrouble(verdict: TsigVerdict, rcode: UpdateRcode, at: Place): PorticoError | null {
  const { server, key } = at;
  if (verdict.kind === 'verified') return null;
  if (verdict.kind === 'forged') {
    return new PorticoError(
      'DNS_UPDATE_UNVERIFIED',
      `The answer of ${server} to an update is not believed: ${verdict.why}.`,
      {
        fix: 'See that nothing stands between here and the DNS server, and that both clocks are right.',
      },
    );
  }
  if (verdict.kind === 'unsigned') {
    // A refusal need not be signed; what it says is then a hint, and the update counts as not done either way.
    if (rcode !== 'NOERROR') return null;
    return new PorticoError('DNS_UPDATE_UNVERIFIED', `${server} answered an update without signing its answer.`, {
      fix: 'See that this is the primary server of the zone and that it knows the key.',
    });
  }
  if (verdict.error === 'BADTIME') {
    const { ahead } = verdict;
    const off =
      ahead === null ? '' : `: its clock is ${String(Math.abs(ahead))} s ${ahead < 0 ? 'behind' : 'ahead of'} ours`;
    return new PorticoError('DNS_UPDATE_TIME', `${server} finds our signature too old or too new${off}.`, {
      fix: 'Set the clocks of both machines by NTP; they may be 300 s apart.',
    });
  }
  if (verdict.error === 'BADKEY') {
    return new PorticoError(
      'DNS_UPDATE_KEY',
      `${server} does not know the key ${key.name} with ${key.algorithm}, or not for changes of ${at.zone}.`,
      {
        fix: 'Correct key_name and algorithm in acme.dns.rfc2136, or give the key to the DNS server and let it update TXT records of the zone.',
      },
    );
  }
  return new PorticoError('DNS_UPDATE_SIGNATURE', `${server} knows the key ${key.name}, but not with our secret.`, {
    fix: 'Copy the secret of this key from the DNS server to acme.dns.rfc2136.secret.',
  });
}

function rcodeTrouble(rcode: UpdateRcode, update: DnsUpdate, { server, zone, key }: Place): PorticoError | null {
  switch (rcode) {
    case 'NOERROR':
      return null;
    case 'YXRRSET':
    case 'NXRRSET':
    case 'YXDOMAIN':
    case 'NXDOMAIN': {
      const wanted = update.prerequisites.map(
        ({ kind, name, type }) => `${kind === 'rrset-exists' ? 'a' : 'no'} ${type} record at ${name}`,
      );
      return new PorticoError(
        'DNS_UPDATE_PREREQUISITE',
        `${server} changed nothing (${rcode}): the update expects ${wanted.join(' and ') || 'nothing'}.`,
        { fix: 'See what other records the name has; beside a CNAME there can be none.' },
      );
    }
    case 'NOTAUTH':
    case 'NOTZONE':
      return new PorticoError('DNS_UPDATE_REFUSED', `${server} says that ${zone} is not its zone (${rcode}).`, {
        fix: 'Set acme.dns.rfc2136.server to the primary server of the zone.',
      });
    case 'REFUSED':
      return new PorticoError(
        'DNS_UPDATE_REFUSED',
        `${server} does not let the key ${key.name} change ${zone} (REFUSED).`,
        {
          fix: 'Let the key update TXT records of this zone: an acl with action update (Knot) or update-policy (BIND).',
        },
      );
    case 'FORMERR':
    case 'SERVFAIL':
    case 'NOTIMP':
    case 'OTHER':
      return new PorticoError('DNS_UPDATE_REFUSED', `${server} could not change ${zone} (${rcode}).`, {
        fix: 'Look into the log of the DNS server; it may not take updates for this zone, or be unable to write it.',
      });
  }
}
