/** Looks at the discovery documents of the base domain: those for clients as a browser does, that for peers at every address. */
import { PorticoError } from '../../../base/errors.ts';
import type { DialSetting } from '../../outbound/dial.ts';
import { get } from '../../outbound/get.ts';
import { addressesOf } from '../../resolve/ask.ts';
import { addressesOfUrl, fetchDocument, MAX_DOCUMENT_BYTES } from '../../resolve/document.ts';
import type { HttpsReply } from '../../resolve/document.ts';
import { readDocument, SERVER_DOCUMENT } from '../../resolve/well-known.ts';
import type { StepContext } from '../../resolve/types.ts';
import type { Attempt, DocumentSeen, JsonReply, ServerDocumentAt } from '../evidence.ts';
import { baseUrlOf } from '../base-url.ts';
import { attempt } from './attempt.ts';
import { jsonReply, parsed } from './json-reply.ts';

/** What makes a browser ask for CORS. */
const ORIGIN = { Origin: 'https://client.invalid' };
/** More addresses of one base domain are not looked at one by one. */
const MAX_ADDRESSES = 4;

/** Fetches a document, following redirects, with the eyes of a browser on another site. */
export async function probeDocument(context: StepContext, url: string): Promise<DocumentSeen> {
  const noting = ({ status }: HttpsReply) => ['found', `status ${String(status)}`] as const;
  const { hops, reply, problem, problemCode } = await fetchDocument(context, url, noting, ORIGIN);
  return {
    url,
    hops: hops.map(({ url: at, status, headers }) => ({
      url: at,
      status,
      cors: headers['access-control-allow-origin'] ?? null,
    })),
    status: hops.at(-1)?.status ?? null,
    json: reply === null ? undefined : parsed(reply.body.toString('utf8')),
    failure: problem === null ? null : { code: problemCode ?? 'UNKNOWN', message: problem, reason: null },
  };
}

/** Asks each address of the base domain for the server document; nothing when there is only one. */
export async function probeServerDocuments(
  context: StepContext,
  hostname: string,
  setting: DialSetting,
  signal: AbortSignal,
): Promise<ServerDocumentAt[]> {
  const { addresses } = await addressesOf(context, '3', hostname);
  if (addresses.length < 2) return [];
  return Promise.all(
    addresses.slice(0, MAX_ADDRESSES).map(async (address) => {
      const target = { address, port: 443, sni: hostname, host: hostname, certificateName: hostname };
      const request = { ...target, path: SERVER_DOCUMENT, maxBytes: MAX_DOCUMENT_BYTES };
      return { address, says: await attempt(async () => says(await get(request, setting, signal))) };
    }),
  );
}

function says({ status, headers, body }: Omit<HttpsReply, 'address'>): string {
  if (headers.location !== undefined) return `status ${String(status)} to ${headers.location.slice(0, 200)}`;
  if (status !== 200) return `status ${String(status)}`;
  const document = readDocument(body);
  return 'problem' in document ? `a document that is not valid: ${document.problem}` : `m.server ${document.name.text}`;
}

/**
 * Asks `/_matrix/client/versions` at the base URL that clients are given, or that they should be given.
 * @returns null when there is none
 */
export async function probeVersions(
  context: StepContext,
  client: DocumentSeen | null,
  configured: string | null,
): Promise<{ url: string; reply: Attempt<JsonReply> } | null> {
  const baseUrl = (client?.status === 200 ? baseUrlOf(client.json) : null) ?? configured;
  if (baseUrl === null) return null;
  const url = URL.parse(`${baseUrl.replace(/\/+$/, '')}/_matrix/client/versions`);
  if (url?.protocol !== 'https:') return null;
  const reply = await attempt(async () => {
    const addresses = await addressesOfUrl(context, url);
    if ('problem' in addresses) {
      throw new PorticoError('RESOLVE_NO_ADDRESS', `${url.hostname} has no address: ${addresses.problem}.`);
    }
    const started = context.clock.monotonic();
    const request = { url, addresses, maxBytes: MAX_DOCUMENT_BYTES, fields: ORIGIN };
    const answer = await context.get(request, context.signal);
    return jsonReply(answer, Math.round(context.clock.monotonic() - started));
  });
  return { url: url.href, reply };
}
