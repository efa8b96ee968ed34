/**
 * What the demo checks of itself once it runs: the way a client and a peer would, over real TLS with verification on. Each
 * check is one row of the table that is printed; its detail says what was seen, or why it is not fine.
 */
import { messageOf } from '../../base/errors.ts';
import { verifyJson } from '../../matrix/signing.ts';
import { ask, handshake, jsonOf } from './client.ts';
import type { Ask, Reply, Target } from './client.ts';
import { DEMO_PASSWORD, DEMO_USER } from './homeserver.ts';

/** The running demo, as seen from outside. */
export interface DemoFront {
  serverName: string;
  /** What `/.well-known/matrix/client` must name. */
  baseUrl: string;
  https: Target;
  federation: Target;
  http: Target;
}

/** One row of the table. */
export interface CheckResult {
  name: string;
  ok: boolean;
  /** What was seen, or the reason. */
  detail: string;
}

interface Check {
  name: string;
  /** Resolves to what was seen; throws with the reason. */
  look: (front: DemoFront) => Promise<string>;
}

/** How long the check of the long poll lets it wait before it sends the message. */
const POLL_HEAD_START_MS = 300;

function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

async function askFor(target: Target, request: Ask, status: number): Promise<Reply> {
  const reply = await ask(target, request);
  expect(
    reply.status === status,
    `status ${String(reply.status)} instead of ${String(status)}: ${reply.text.slice(0, 120)}`,
  );
  return reply;
}

function expectCors(reply: Reply): void {
  expect(reply.headers['access-control-allow-origin'] === '*', 'no Access-Control-Allow-Origin: *');
}

async function seenCertificate(target: Target): Promise<string> {
  const { protocol, cipher, certificate } = await handshake(target);
  const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / 86_400_000);
  return `${protocol}, ${cipher}, certificate for ${target.servername}, ${String(days)} days left`;
}

async function refusedName(target: Target): Promise<string> {
  const stranger = { ...target, servername: 'unknown.example' };
  let reason: string;
  try {
    await handshake(stranger);
    reason = '';
  } catch (error) {
    reason = messageOf(error);
  }
  expect(reason !== '', 'the handshake was made all the same');
  expect(!/certificate|altname|self-signed/i.test(reason), `a certificate was shown to it: ${reason}`);
  return 'no handshake for unknown.example';
}

async function keyDocument({ federation, serverName }: DemoFront): Promise<string> {
  const document = jsonOf(await askFor(federation, { path: '/_matrix/key/v2/server', host: serverName }, 200));
  expect(document.server_name === serverName, `it is for ${String(document.server_name)}`);
  expect(Number(document.valid_until_ts) > Date.now(), 'it is no longer valid');
  const keys = document.verify_keys as Record<string, { key: string }>;
  const [keyId, key] = Object.entries(keys)[0] ?? ['', { key: '' }];
  expect(verifyJson(document, serverName, keyId, key.key), `the signature with ${keyId} does not verify`);
  return `signed by ${keyId}, verified`;
}

async function clientSession({ https }: DemoFront): Promise<string> {
  const identifier = { type: 'm.id.user', user: DEMO_USER };
  const json = { type: 'm.login.password', identifier, password: DEMO_PASSWORD };
  const login = jsonOf(await askFor(https, { method: 'POST', path: '/_matrix/client/v3/login', json }, 200));
  const token = String(login.access_token);
  const whoami = jsonOf(await askFor(https, { path: '/_matrix/client/v3/account/whoami', token }, 200));
  expect(whoami.user_id === login.user_id, 'whoami names somebody else');

  const first = jsonOf(await askFor(https, { path: '/_matrix/client/v3/sync', token }, 200));
  const joined = (first.rooms as { join: Record<string, unknown> }).join;
  const roomId = Object.keys(joined)[0];
  expect(roomId !== undefined, 'no room in /sync');
  const since = encodeURIComponent(String(first.next_batch));
  const poll = askFor(https, { path: `/_matrix/client/v3/sync?since=${since}&timeout=8000`, token }, 200);
  const send = async (): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, POLL_HEAD_START_MS));
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/check-1`;
    const message = { msgtype: 'm.text', body: 'The demo checks itself.' };
    return String(jsonOf(await askFor(https, { method: 'PUT', path, token, json: message }, 200)).event_id);
  };
  const [waited, eventId] = await Promise.all([poll, send()]);
  expect(waited.text.includes(eventId), 'the message did not come through the waiting /sync');
  return `${String(login.user_id)} logged in; a waiting /sync brought the message`;
}

/** The checks in the order in which they are printed. */
const CHECKS: readonly Check[] = [
  { name: 'TLS on the https port', look: ({ https }) => seenCertificate(https) },
  { name: 'TLS on the federation port', look: ({ federation }) => seenCertificate(federation) },
  {
    name: 'unknown SNI refused',
    look: async ({ https, federation }) => (await refusedName(https), refusedName(federation)),
  },
  {
    name: '/.well-known/matrix/client',
    look: async ({ https, baseUrl }) => {
      const reply = await askFor(https, { path: '/.well-known/matrix/client' }, 200);
      expectCors(reply);
      const found = (jsonOf(reply)['m.homeserver'] as { base_url?: unknown } | undefined)?.base_url;
      expect(found === baseUrl, `it names ${String(found)}, not ${baseUrl}`);
      return `names ${baseUrl}, with CORS`;
    },
  },
  {
    name: '/.well-known/matrix/server',
    look: async ({ https }) => {
      expectCors(await askFor(https, { path: '/.well-known/matrix/server' }, 404));
      return '404, as it must be without delegation';
    },
  },
  {
    name: '/_matrix/client/versions',
    look: async ({ https }) => {
      const { versions } = jsonOf(await askFor(https, { path: '/_matrix/client/versions' }, 200));
      expect(Array.isArray(versions) && versions.length > 0, 'no versions in it');
      return versions.join(', ');
    },
  },
  { name: 'login, send, long-polling /sync', look: clientSession },
  { name: '/_matrix/key/v2/server', look: keyDocument },
  {
    name: '/_matrix/federation/v1/version',
    look: async ({ federation, serverName }) => {
      const body = jsonOf(await askFor(federation, { path: '/_matrix/federation/v1/version', host: serverName }, 200));
      const server = body.server as { name?: unknown; version?: unknown } | undefined;
      expect(typeof server?.name === 'string', 'no server name in it');
      return `${server.name} ${String(server.version)}`;
    },
  },
  {
    name: 'unknown endpoint',
    look: async ({ https }) => {
      const reply = await askFor(https, { path: '/_matrix/client/v3/no_such_thing' }, 404);
      const { errcode } = jsonOf(reply);
      expect(errcode === 'M_UNRECOGNIZED', `errcode ${String(errcode)}`);
      expectCors(reply);
      return '404 M_UNRECOGNIZED, with CORS';
    },
  },
  {
    name: 'admin API shut',
    look: async ({ https }) => {
      const { errcode } = jsonOf(await askFor(https, { path: '/_synapse/admin/v1/server_version' }, 403));
      expect(errcode === 'M_FORBIDDEN', `errcode ${String(errcode)}`);
      return '403 M_FORBIDDEN on /_synapse/admin';
    },
  },
  {
    name: 'unknown Host',
    look: async ({ https }) => {
      const { errcode } = jsonOf(
        await askFor(https, { path: '/_matrix/client/versions', host: 'unknown.example' }, 421),
      );
      expect(errcode === 'M_UNRECOGNIZED', `errcode ${String(errcode)}`);
      return '421 M_UNRECOGNIZED';
    },
  },
  {
    name: 'plain HTTP',
    look: async ({ http }) => {
      const reply = await ask(http, { path: '/' });
      const location = String(reply.headers.location);
      expect(reply.status >= 301 && reply.status <= 308, `status ${String(reply.status)} instead of a redirect`);
      expect(location.startsWith('https://'), `redirects to ${location}`);
      return `redirects to ${location}`;
    },
  },
];

/**
 * Runs the checks one after the other.
 * @param report - called with each result as soon as it is there
 */
export async function runChecks(front: DemoFront, report: (result: CheckResult) => void): Promise<boolean> {
  let allFine = true;
  for (const { name, look } of CHECKS) {
    let result: CheckResult;
    try {
      result = { name, ok: true, detail: await look(front) };
    } catch (error) {
      result = { name, ok: false, detail: messageOf(error) };
    }
    allFine &&= result.ok;
    report(result);
  }
  return allFine;
}
