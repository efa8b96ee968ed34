/** A federation peer of the test's own: a signing key, a key document served over TLS, and requests signed with the key. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createTestCa } from '../../helpers/test-certificates.ts';
import { createSigningKey, signJson, signRequest } from '../../../src/matrix/signing.ts';
import type { SigningKey } from '../../../src/matrix/signing.ts';

const KEY_VALID_MS = 24 * 3600_000;

/** A request to be signed. */
export interface OutgoingRequest {
  readonly method: string;
  /** Exactly as it goes into the request line. */
  readonly uri: string;
  readonly destination: string;
  /** The JSON that the body holds, if it has one. */
  readonly content?: unknown;
}

/** A running origin; its server name is `localhost:PORT`. */
export interface TestOrigin {
  readonly serverName: string;
  /** PEM of the CA its certificate comes from. */
  readonly ca: string;
  readonly key: SigningKey;
  /** The value of an Authorization field. */
  sign(request: OutgoingRequest): string;
  /** How often a homeserver asked for its key document. */
  keyRequests(): number;
  close(): Promise<void>;
}

/** Starts one on a free port. */
export async function startTestOrigin(): Promise<TestOrigin> {
  const authority = await createTestCa();
  const { cert, key: tlsKey } = await authority.issue(['localhost']);
  const key = createSigningKey(null, 'ed25519:test');
  let serverName = '';
  let asked = 0;
  const server = createServer({ cert, key: tlsKey }, (request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const isKeys = request.method === 'GET' && /^\/_matrix\/key\/v2\/server(\/.*)?$/.test(path);
    if (isKeys) asked += 1;
    const body = isKeys
      ? signJson(
          {
            server_name: serverName,
            verify_keys: { [key.keyId]: { key: key.publicKey } },
            old_verify_keys: {},
            valid_until_ts: Date.now() + KEY_VALID_MS,
          },
          serverName,
          key,
        )
      : { errcode: 'M_UNRECOGNIZED', error: 'the test origin has only its keys' };
    response.writeHead(isKeys ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  serverName = `localhost:${(server.address() as AddressInfo).port}`;
  return {
    serverName,
    ca: authority.ca,
    key,
    sign: (request) => signRequest({ ...request, origin: serverName, key }),
    keyRequests: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
