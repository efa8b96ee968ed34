/** Looks at one address and port as peers would, and a little more closely. */
import { dial } from '../../outbound/dial.ts';
import type { Dialled, DialSetting, DialTarget } from '../../outbound/dial.ts';
import { getOn } from '../../outbound/get.ts';
import type { Target } from '../../resolve/types.ts';
import type { Attempt, JsonReply, PlaceSeen } from '../evidence.ts';
import { attempt } from './attempt.ts';
import { jsonReply } from './json-reply.ts';

const KEYS = '/_matrix/key/v2/server';
const VERSION = '/_matrix/federation/v1/version';
/** Far above what either document has. */
const MAX_BYTES = 256 * 1024;

/** Makes up to seven connections, one after the other. */
export async function probePlace(
  target: Target,
  address: string,
  setting: DialSetting,
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
  const other = port === 8448 ? 443 : port === 443 ? 8448 : null;
  const otherPort =
    other === null ? null : { port: other, keys: await ask({ ...place, port: other }, KEYS, hostname(host)) };
  if (!first.ok) {
    const none = { keys: null, version: null, otherHost: null, withoutSni: null, tls12: null, http2: null };
    return { target, address, port, tls: first, ...none, otherPort };
  }
  const { value: dialled } = first;
  const keys = await attempt(() => getJson(dialled, place, KEYS, host, setting, signal));
  const version = await ask(place, VERSION, host);
  const otherForm = hostname(host) === host ? `${host}:${String(port)}` : hostname(host);
  const otherHost = { host: otherForm, reply: await ask(place, VERSION, otherForm) };
  const withoutSni = sni === null ? null : await handshake({ sni: null });
  const tls12 = dialled.seen.version === 'TLSv1.2' ? null : await handshake({ onlyVersion: 'TLSv1.2' });
  const h2 = await handshake({ alpn: ['h2', 'http/1.1'] });
  const http2 = h2.ok ? h2.value.alpn === 'h2' : null;
  const tls = { ok: true, value: dialled.seen } as const;
  return { target, address, port, tls, keys, version, otherHost, withoutSni, tls12, http2, otherPort };
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
