/**
 * `/.well-known/matrix/server` as peers take it: JSON whatever the Content-Type says; whatever is wrong with it only means
 * that there is no document, and discovery goes on. Source: Matrix v1.19, S-S "Resolving server names", step 3, and
 * `data/api/server-server/wellknown`.
 */
import { parseServerName } from '../../base/server-name.ts';
import type { ServerName } from '../../base/server-name.ts';
import { fetchDocument, MAX_DOCUMENT_BYTES } from './document.ts';
import type { Fetched, HttpsReply } from './document.ts';
import { errorPeriod, validPeriod } from './well-known-cache.ts';
import type { StepContext, Tried } from './types.ts';

/** The path that peers ask for. */
export const SERVER_DOCUMENT = '/.well-known/matrix/server';

/** The document, or what was found in its place. */
export interface WellKnownSeen {
  /** `absent`: 404; `invalid`: an answer that is no document; `unreachable`: no answer that can be believed. */
  readonly outcome: 'valid' | 'absent' | 'invalid' | 'unreachable';
  /** `m.server` as written; null unless valid. */
  readonly mServer: string | null;
  /** What is wrong, for people; null when valid. */
  readonly problem: string | null;
  /** The code of the error when unreachable. */
  readonly problemCode: string | null;
  /** Where each request went, the first included. */
  readonly urls: readonly string[];
  /** Of the last answer; null: there was none. */
  readonly status: number | null;
  /** Of the last answer. */
  readonly contentType: string | null;
  /** Milliseconds since the epoch until which a peer may keep this, failures included. */
  readonly expiresAt: number;
}

/** Fetches the document of a DNS name. Never rejects for what the other side does. */
export async function fetchWellKnown(
  context: StepContext,
  hostname: string,
): Promise<{ readonly seen: WellKnownSeen; readonly name: ServerName | null }> {
  const fetched = await fetchDocument(context, `https://${hostname}${SERVER_DOCUMENT}`, noting);
  return judge(fetched, context.clock.now());
}

function noting(reply: HttpsReply): readonly [Tried['result'], string] {
  if (reply.status === 404) return ['absent', 'status 404'];
  if (reply.status !== 200) return ['failed', `status ${String(reply.status)}`];
  const document = readDocument(reply.body);
  return 'problem' in document
    ? ['failed', `200, but ${document.problem}`]
    : ['found', `200, m.server ${document.name.text}`];
}

function judge({ reply, urls, hops, problem, problemCode }: Fetched, now: number) {
  const last = hops.at(-1);
  const common = {
    urls,
    problemCode,
    status: last?.status ?? null,
    contentType: last?.headers['content-type'] ?? null,
  };
  const no = (outcome: 'absent' | 'invalid' | 'unreachable', why: string) => ({
    name: null,
    seen: { ...common, outcome, problem: why, mServer: null, expiresAt: now + errorPeriod(1) },
  });
  if (reply === null) return no(problemCode === 'REDIRECT' ? 'invalid' : 'unreachable', problem ?? 'no answer');
  const { status, headers, body } = reply;
  if (status !== 200) return no(status === 404 ? 'absent' : 'invalid', `status ${String(status)}`);
  const document = readDocument(body);
  if ('problem' in document) return no('invalid', document.problem);
  const expiresAt = now + validPeriod(headers, now);
  const seen = { ...common, outcome: 'valid', problem: null, mServer: document.name.text, expiresAt } as const;
  return { name: document.name, seen };
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
