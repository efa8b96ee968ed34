/** Words for places and attempts, shared by the checks. */
import { formatListenAddress } from '../../base/address.ts';
import type { TlsSeen } from '../outbound/dial.ts';
import type { Attempt, Evidence, JsonReply, PlaceSeen } from './evidence.ts';
import { finding } from './finding.ts';
import type { Finding } from './finding.ts';
import type { FindingCode } from './catalogue.ts';

/** `203.0.113.7:8448` */
export function placeName({ address, port }: Pick<PlaceSeen, 'address' | 'port'>): string {
  return formatListenAddress({ host: address, port });
}

/** What is the same at several places is said once, with the places in front. */
export function perPlace<P extends PlaceSeen>(
  code: FindingCode,
  places: readonly P[],
  describe: (place: P) => string | null,
  fix?: string,
): Finding[] {
  const byText = new Map<string, string[]>();
  for (const place of places) {
    const text = describe(place);
    if (text !== null) byText.set(text, [...(byText.get(text) ?? []), placeName(place)]);
  }
  return [...byText].map(([text, names]) => finding(code, `${names.join(' and ')}: ${text}.`, fix));
}

/** A place whose handshake was made, with what it showed. */
export interface OpenPlace extends PlaceSeen {
  readonly tls: { readonly ok: true; readonly value: TlsSeen };
}

/** The places that spoke TLS. */
export function openPlaces({ places }: Evidence): OpenPlace[] {
  return places.filter((place): place is OpenPlace => place.tls.ok);
}

/** True when this machine itself has no way to the address. */
export function isOutOfReach({ tls }: PlaceSeen): boolean {
  return !tls.ok && (tls.failure.reason === 'ENETUNREACH' || tls.failure.reason === 'EADDRNOTAVAIL');
}

/** True when no connection came to be. */
export function isDead(place: PlaceSeen): boolean {
  return !place.tls.ok && place.tls.failure.code.startsWith('DIAL_') && !isOutOfReach(place);
}

/** Why a JSON answer is none; null when it is one with status 200. */
export function replyProblem(reply: Attempt<JsonReply>): string | null {
  if (!reply.ok) return withoutPlace(reply.failure.message);
  const { status, json, text, location } = reply.value;
  if (status !== 200) {
    const errcode = typeof json === 'object' && json !== null && 'errcode' in json ? ` ${String(json.errcode)}` : '';
    return `status ${String(status)}${errcode}${location === null ? '' : `, a redirect to ${location.slice(0, 100)}`}`;
  }
  return json === undefined ? `not JSON, but ${JSON.stringify(text.slice(0, 60))}` : null;
}

/** True when somebody was asked and did not answer as they should; not when the limit of requests was reached. */
export function wasAsked(reply: Attempt<unknown>): boolean {
  return reply.ok || reply.failure.code !== 'REQUEST_BUDGET';
}

/** `203.0.113.7 port 8448, /path: why.` → `why` */
export function withoutPlace(message: string): string {
  return message.replace(/^\S+ port \d+(?:, \/\S*)?: /, '').replace(/\.$/, '');
}
