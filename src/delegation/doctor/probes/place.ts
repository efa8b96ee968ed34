/** Looks at one address and port as peers would, and a little more closely. */
import { dial } from '../../outbound/dial.ts';
import type { Dialled, DialSetting, DialTarget } from '../../outbound/dial.ts';
import { getOn } from '../../outbound/get.ts';
import type { Target } from '../../resolve/types.ts';
import { readCanaryAnswer } from '../../canary/uri-canary.ts';
import type { CanaryQuestion } from '../../canary/uri-canary.ts';
import type { Attempt, CanarySeen, JsonReply, PlaceSeen } from '../evidence.ts';
import { attempt } from './attempt.ts';
import { jsonReply } from './json-reply.ts';

const KEYS = '/_matrix/key/v2/server';
const VERSION = '/_matrix/federation/v1/version';
/** Where fresh canaries come from; null: from nowhere just now. */
export type CanarySource = () => Promise<CanaryQuestion | null>;

/** Far above what either document has. */
const MAX_BYTES = 256 * 1024;

/** Makes up to eight connections, one after the other. */
export async function probePlace(
  target: Target,
  address: string,
  setting: DialSetting,
  canary: CanarySource | null,
  signal: AbortSignal,
): Promise<PlaceSeen> {
  const { port, sni, host } = target;
  const place: DialTarget = { address, port, sni };
  const ask = (to: DialTarget, path: string, as: string): Promise<Attempt<JsonReply>> =>
    attempt(async () => getJson(await dial(to, setting, signal), to, path, as, setting, signal));
  const handshake = (how: Partial<DialTarget>) =>
    attempt(async () => {
      const { socket, seen } = await dial({ ...place, ...how }, setting, signal);
      socket.destroy();
      return seen;
    });

  const first = await attempt(() => dial(place, setting, signal));
  // At once: a server closes a connection on which nothing is asked.
  const keys = first.ok ? await attempt(() => getJson(first.value, place, KEYS, host, setting, signal)) : null;
  const other = port === 8448 ? 443 : port === 443 ? 8448 : null;
  const otherPort =
    other === null ? null : { port: other, keys: await ask({ ...place, port: other }, KEYS, hostname(host)) };
  if (!first.ok) {
    const none = {
      keys,
      version: null,
      otherHost: null,
      withoutSni: null,
      tls12: null,
      http2: null,
      canary: null,
    };
    return { target, address, port, tls: first, ...none, otherPort };
  }
  const version = await ask(place, VERSION, host);
  const otherForm = hostname(host) === host ? `${host}:${String(port)}` : hostname(host);
  const otherHost = { host: otherForm, reply: await ask(place, VERSION, otherForm) };
  const withoutSni = sni === null ? null : await handshake({ sni: null });
  const tls12 = first.value.seen.version === 'TLSv1.2' ? null : await handshake({ onlyVersion: 'TLSv1.2' });
  const h2 = await handshake({ alpn: ['h2', 'http/1.1'] });
  const http2 = h2.ok ? h2.value.alpn === 'h2' : null;
  const question = (await canary?.()) ?? null;
  const canarySeen = question === null ? null : await sendCanary(question, (path) => ask(place, path, host));
  const tls = { ok: true, value: first.value.seen } as const;
  return {
    target,
    address,
    port,
    tls,
    keys,
    version,
    otherHost,
    withoutSni,
    tls12,
    http2,
    canary: canarySeen,
    otherPort,
  };
}

async function sendCanary(
  question: CanaryQuestion,
  ask: (path: string) => Promise<Attempt<JsonReply>>,
): Promise<CanarySeen> {
  const reply = await ask(question.target);
  const received = reply.ok && reply.value.status === 200 ? readCanaryAnswer(question, reply.value.json) : null;
  return { sent: question.target, reply, received };
}

async function getJson(
  dialled: Dialled,
  target: DialTarget,
  path: string,
  host: string,
  setting: DialSetting,
  signal: AbortSignal,
): Promise<JsonReply> {
  const reply = await getOn(dialled, { ...target, host, path, maxBytes: MAX_BYTES }, setting, signal);
  return jsonReply(reply, reply.ms);
}

/** `host:port` without the port. */
function hostname(host: string): string {
  return host.replace(/:\d+$/, '');
}
