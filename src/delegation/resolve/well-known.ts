/**
 * Fetches `/.well-known/matrix/server` as peers do: over https with normal certificate checks, 30x followed without running
 * in circles, at most 50 KiB, JSON whatever the Content-Type says. Whatever is wrong with it only means that there is no
 * document; discovery goes on. Source: Matrix v1.19, S-S "Resolving server names", step 3, and `data/api/server-server/wellknown`.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { messageOf } from '../../base/errors.ts';
import { parseServerName } from '../../base/server-name.ts';
import type { ServerName } from '../../base/server-name.ts';
import { addressesOf } from './ask.ts';
import { errorPeriod, validPeriod } from './well-known-cache.ts';
import type { StepContext } from './types.ts';

/** The path that peers ask for. */
export const SERVER_DOCUMENT = '/.well-known/matrix/server';
/** Largest document that Synapse and gomatrixserverlib read. */
export const MAX_DOCUMENT_BYTES = 50 * 1024;
const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** One https request whose addresses have been looked up. */
export interface HttpsRequest {
  readonly url: URL;
  /** Tried in this order until one answers. */
  readonly addresses: readonly string[];
  /** In bytes. */
  readonly maxBytes: number;
}

/** What came back. */
export interface HttpsReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The address that answered. */
  readonly address: string;
}

/** Makes one GET, certificate verified, redirects not followed. Throws a PorticoError when no address answers. */
export type HttpsGet = (request: HttpsRequest, signal?: AbortSignal) => Promise<HttpsReply>;

/** The document, or what was found in its place. */
export interface WellKnownSeen {
  /** `absent`: 404; `invalid`: an answer that is no document; `unreachable`: no answer. */
  readonly outcome: 'valid' | 'absent' | 'invalid' | 'unreachable';
  /** `m.server` as written; null unless valid. */
  readonly mServer: string | null;
  /** What is wrong, for people; null when valid. */
  readonly problem: string | null;
  /** Where each request went, the first included. */
  readonly urls: readonly string[];
  /** Of the last answer; null: there was none. */
  readonly status: number | null;
  /** Milliseconds since the epoch until which a peer may keep this, failures included. */
  readonly expiresAt: number;
}

/** Fetches the document of a DNS name. Never rejects for what the other side does. */
export async function fetchWellKnown(
  context: StepContext,
  hostname: string,
): Promise<{ readonly seen: WellKnownSeen; readonly name: ServerName | null }> {
  const urls: string[] = [];
  let url = new URL(`https://${hostname}${SERVER_DOCUMENT}`);
  const no = (outcome: 'absent' | 'invalid' | 'unreachable', problem: string, status: number | null) => ({
    name: null,
    seen: { outcome, problem, status, mServer: null, urls, expiresAt: context.clock.now() + errorPeriod(1) },
  });
  for (;;) {
    urls.push(url.href);
    const addresses = await addressesOfUrl(context, url);
    const note = context.trail.start('3', url.href);
    if ('problem' in addresses) {
      note('failed', `no address: ${addresses.problem}`);
      return no('unreachable', `${url.hostname} has no address (${addresses.problem})`, null);
    }
    let reply: HttpsReply;
    try {
      reply = await context.get({ url, addresses, maxBytes: MAX_DOCUMENT_BYTES }, context.signal);
    } catch (error) {
      note('failed', messageOf(error));
      return no('unreachable', messageOf(error), null);
    }
    const { status } = reply;
    if (REDIRECTS.has(status) && reply.headers.location !== undefined) {
      const next = redirectTarget(url, reply.headers.location, urls);
      note(next instanceof URL ? 'found' : 'failed', `${String(status)} to ${reply.headers.location.slice(0, 200)}`);
      if (!(next instanceof URL)) return no('invalid', next, status);
      url = next;
      continue;
    }
    if (status !== 200) {
      note(status === 404 ? 'absent' : 'failed', `status ${String(status)}`);
      return no(status === 404 ? 'absent' : 'invalid', `status ${String(status)}`, status);
    }
    const document = readDocument(reply.body);
    if ('problem' in document) {
      note('failed', `200, but ${document.problem}`);
      return no('invalid', document.problem, status);
    }
    note('found', `200, m.server ${document.name.text}`);
    const now = context.clock.now();
    const expiresAt = now + validPeriod(reply.headers, now);
    const seen = { outcome: 'valid', mServer: document.name.text, problem: null, urls, status, expiresAt } as const;
    return { name: document.name, seen };
  }
}

/** Reads the body of a document. Pure. */
export function readDocument(body: Buffer): { readonly name: ServerName } | { readonly problem: string } {
  if (body.length > MAX_DOCUMENT_BYTES) return { problem: `it is larger than ${String(MAX_DOCUMENT_BYTES)} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return { problem: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: 'it is not a JSON object' };
  const mServer = (value as Record<string, unknown>)['m.server'];
  if (mServer === undefined) return { problem: 'it has no m.server' };
  if (typeof mServer !== 'string') return { problem: 'm.server is not a string' };
  const name = parseServerName(mServer);
  if (name !== null) return { name };
  const hint = mServer.includes('://') ? '; it must be a name without https://' : '';
  return { problem: `m.server is ${JSON.stringify(mServer.slice(0, 100))}, which is not HOST or HOST:PORT${hint}` };
}

/** The next URL, or why there is none. */
function redirectTarget(from: URL, location: string, visited: readonly string[]): URL | string {
  const next = URL.parse(location, from.href);
  if (next === null) return `it redirects to ${JSON.stringify(location.slice(0, 100))}, which is no URL`;
  // Without https nothing would say who answered: the whole delegation would be anybody's to set.
  if (next.protocol !== 'https:') return `it redirects to ${next.protocol}//, and only https can be believed`;
  next.hash = '';
  next.username = '';
  next.password = '';
  if (visited.includes(next.href)) return 'it redirects in a circle';
  return visited.length > MAX_REDIRECTS ? `it redirects more than ${String(MAX_REDIRECTS)} times` : next;
}

async function addressesOfUrl(context: StepContext, url: URL): Promise<readonly string[] | { problem: string }> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) return [host];
  const { addresses, problem } = await addressesOf(context, '3', host);
  return problem === null ? addresses : { problem };
}
