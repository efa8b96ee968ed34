/** What peers and clients ask of a homeserver before anything else: keys, version, documents, with CORS. */
import type { RequestListener } from 'node:http';
import { createSigningKey, signJson } from '../../src/matrix/signing.ts';
import type { SigningKey } from '../../src/matrix/signing.ts';
import { reply } from './internet.ts';

/** How this one behaves. */
export interface StubOptions {
  readonly serverName: string;
  /** Default: a fresh key. */
  readonly key?: SigningKey;
  readonly version?: string;
  /** Bodies by path below `/.well-known/matrix/`; others are 404. */
  readonly documents?: Readonly<Record<string, unknown>>;
  /** Send no CORS fields. */
  readonly noCors?: boolean;
  /** Hosts answered; others get 421. Default: all. */
  readonly hosts?: readonly string[];
}

/** Answers as a homeserver behind a good front door. */
export function homeserverStub(options: StubOptions): RequestListener {
  const { serverName, key = createSigningKey(), version = '1.163.0', documents = {}, hosts } = options;
  const cors: Record<string, string> = options.noCors === true ? {} : { 'Access-Control-Allow-Origin': '*' };
  return (request, response) => {
    const { url = '', headers } = request;
    const error = (status: number, errcode: string) =>
      reply(response, status, JSON.stringify({ errcode, error: 'No.' }), cors);
    if (hosts !== undefined && !hosts.includes(headers.host ?? '')) return error(421, 'M_UNRECOGNIZED');
    if (url === '/_matrix/key/v2/server') {
      const document = {
        server_name: serverName,
        valid_until_ts: Date.now() + 86_400_000,
        verify_keys: { [key.keyId]: { key: key.publicKey } },
        old_verify_keys: {},
      };
      return reply(response, 200, JSON.stringify(signJson(document, serverName, key)), cors);
    }
    if (url === '/_matrix/federation/v1/version') {
      return reply(response, 200, JSON.stringify({ server: { name: 'Stub', version } }), cors);
    }
    if (url === '/_matrix/client/versions') return reply(response, 200, '{"versions":["v1.19"]}', cors);
    const document = documents[url.replace('/.well-known/matrix/', '')];
    if (document === undefined) return error(404, 'M_UNRECOGNIZED');
    return reply(response, 200, JSON.stringify(document), cors);
  };
}
