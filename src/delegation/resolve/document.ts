/**
 * Fetches a discovery document: over https with normal certificate checks, 30x followed without running in circles, at most
 * 50 KiB. What the other side does wrong is in the result; only mistakes of ours reject.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { codeOf, messageOf } from '../../base/errors.ts';
import { addressesOf } from './ask.ts';
import type { StepContext, Tried } from './types.ts';

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
  /** Further fields. */
  readonly fields?: Readonly<Record<string, string>>;
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

/** One answer on the way to a document. */
export interface Hop {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Where a fetch ended. */
export interface Fetched {
  /** Every URL that was asked, the first included. */
  readonly urls: readonly string[];
  /** Every answer, the last one included. */
  readonly hops: readonly Hop[];
  /** The answer that is no redirect; null: there was none. */
  readonly reply: HttpsReply | null;
  /** Why there was none. */
  readonly problem: string | null;
  /** The code of the error underneath; `REDIRECT` for redirects that lead nowhere. */
  readonly problemCode: string | null;
}

/** How a look at an answer is noted on the trail. */
export type Noting = (reply: HttpsReply) => readonly [Tried['result'], string];

/** Fetches, following redirects. */
export async function fetchDocument(
  context: StepContext,
  start: string,
  noting: Noting,
  fields: Readonly<Record<string, string>> = {},
): Promise<Fetched> {
  const urls: string[] = [];
  const hops: Hop[] = [];
  const no = (problemCode: string, problem: string): Fetched => ({ urls, hops, reply: null, problem, problemCode });
  let url = new URL(start);
  for (;;) {
    urls.push(url.href);
    const addresses = await addressesOfUrl(context, url);
    const note = context.trail.start('3', url.href);
    if ('problem' in addresses) {
      note('failed', `no address: ${addresses.problem}`);
      return no('RESOLVE_NO_ADDRESS', `${url.hostname} has no address: ${addresses.problem}`);
    }
    let reply: HttpsReply;
    try {
      reply = await context.get({ url, addresses, maxBytes: MAX_DOCUMENT_BYTES, fields }, context.signal);
    } catch (error) {
      note('failed', messageOf(error));
      return no(codeOf(error), messageOf(error));
    }
    const { status, headers } = reply;
    hops.push({ url: url.href, status, headers });
    if (!REDIRECTS.has(status) || headers.location === undefined) {
      note(...noting(reply));
      return { urls, hops, reply, problem: null, problemCode: null };
    }
    const next = redirectTarget(url, headers.location, urls);
    note(next instanceof URL ? 'found' : 'failed', `${String(status)} to ${headers.location.slice(0, 200)}`);
    if (!(next instanceof URL)) return no('REDIRECT', next);
    url = next;
  }
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

/** The addresses of a URL's host: itself when it is a literal. */
export async function addressesOfUrl(context: StepContext, url: URL): Promise<readonly string[] | { problem: string }> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) return [host];
  const { addresses, problem } = await addressesOf(context, '3', host);
  return problem === null ? addresses : { problem };
}
