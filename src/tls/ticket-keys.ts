/**
 * When the key of session tickets changes. Node holds one key at a time: a ticket of the previous key means a full
 * handshake, which is harmless. Everything that serves the same names must switch to the same key at the same instant.
 */
import type { TicketKeyData } from './ticket-key-data.ts';

/**
 * How long one key is used. Whoever steals a key can read the TLS 1.2 sessions resumed with it, so it must not live long;
 * twelve hours is what Caddy does.
 */
export const TICKET_KEY_LIFETIME_MS = 12 * 60 * 60 * 1000;

/** Cryptographically strong bytes: `randomBytes` of node:crypto. */
export type RandomBytes = (size: number) => Buffer;

/**
 * Makes a key.
 * @param activeFrom - milliseconds since the epoch
 */
export function newTicketKey(random: RandomBytes, activeFrom: number): TicketKeyData {
  return { key: random(48).toString('base64'), activeFrom };
}

/**
 * The key to use now: the same object while it is young enough, else a new one.
 *
 * A new key keeps the phase of the old one (its `activeFrom` is a whole number of lifetimes later), so the schedule does
 * not drift with late timers. A key from more than a lifetime ahead means that the clock was set back; it is replaced.
 * @param now - milliseconds since the epoch
 */
export function rotateTicketKeys(current: TicketKeyData | null, now: number, random: RandomBytes): TicketKeyData {
  if (current === null) return newTicketKey(random, now);
  const age = now - current.activeFrom;
  if (age < -TICKET_KEY_LIFETIME_MS) return newTicketKey(random, now);
  if (age < TICKET_KEY_LIFETIME_MS) return current;
  return newTicketKey(random, now - (age % TICKET_KEY_LIFETIME_MS));
}

/** Milliseconds since the epoch at which {@link rotateTicketKeys} gives the next key. */
export function nextTicketKeyAt(current: TicketKeyData): number {
  return current.activeFrom + TICKET_KEY_LIFETIME_MS;
}
