/**
 * The demo's homeserver: small, in memory, but honest in what it answers: real login tokens, a `/sync` that waits, a key
 * document that is really signed. It knows one user and one room and federates with nobody.
 * Source: Matrix specification v1.19, client-server and server-server API.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSigningKey, signJson } from '../../matrix/signing.ts';
import { DemoRoom } from './room.ts';

/** The one account. */
export const DEMO_USER = 'demo';
export const DEMO_PASSWORD = 'demo';

/** A running demo homeserver. */
export interface DemoHomeserver {
  /** Where it listens: plain HTTP on loopback, a port the system chose. */
  readonly url: string;
  close(): Promise<void>;
}

interface Request {
  method: string;
  /** Parts of the path, percent-decoded. */
  path: string[];
  query: URLSearchParams;
  body: Record<string, unknown>;
  token: string | null;
  /** Aborts when the client is gone. */
  gone: AbortSignal;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

type Handler = (request: Request) => Answer | Promise<Answer>;

const MAX_BODY_BYTES = 65_536;
const KEY_VALID_MS = 24 * 3600_000;
/** Longer than Portico keeps an idle upstream connection, so that it is never the homeserver that closes first. */
const KEEP_ALIVE_MS = 120_000;

const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
  'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization, Date',
};

const ok = (body: Record<string, unknown>): Answer => ({ status: 200, body });
const refused = (status: number, errcode: string, error: string): Answer => ({ status, body: { errcode, error } });

/** Reads a JSON object; null when the body is too large or is not one. */
async function readBody(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) return null;
  }
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** The path's parts, decoded; null when an escape is broken. */
function pathParts(pathname: string): string[] | null {
  try {
    return pathname.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return null;
  }
}

/** What the homeserver answers, by method and path; `:` stands for any one part. */
function handlers(serverName: string, version: string): Map<string, Map<string, Handler>> {
  const userId = `@${DEMO_USER}:${serverName}`;
  const room = new DemoRoom(`!demo:${serverName}`);
  const state = (type: string, stateKey: string, content: Record<string, unknown>) =>
    room.append({ type, state_key: stateKey, sender: userId, content });
  state('m.room.create', '', { room_version: '11' });
  state('m.room.member', userId, { membership: 'join', displayname: 'Demo' });
  state('m.room.name', '', { name: 'Portico demo' });
  room.append({
    type: 'm.room.message',
    sender: userId,
    content: { msgtype: 'm.text', body: 'Welcome behind Portico.' },
  });

  const key = createSigningKey(null, 'ed25519:demo');
  const devices = new Map<string, string>();
  const transactions = new Map<string, string>();

  const loggedIn =
    (handler: (request: Request, deviceId: string) => Answer | Promise<Answer>): Handler =>
    (request) => {
      if (request.token === null) return refused(401, 'M_MISSING_TOKEN', 'Missing access token');
      const deviceId = devices.get(request.token);
      return deviceId === undefined
        ? refused(401, 'M_UNKNOWN_TOKEN', 'Unknown access token')
        : handler(request, deviceId);
    };

  const login: Handler = ({ body }) => {
    if (body.type !== 'm.login.password') return refused(400, 'M_UNKNOWN', 'Only m.login.password is known here');
    const identifier = body.identifier as { user?: unknown } | undefined;
    const user = identifier?.user ?? body.user;
    if ((user !== DEMO_USER && user !== userId) || body.password !== DEMO_PASSWORD) {
      return refused(403, 'M_FORBIDDEN', 'Invalid username or password');
    }
    const token = randomBytes(24).toString('base64url');
    const deviceId = randomBytes(5).toString('hex').toUpperCase();
    devices.set(token, deviceId);
    return ok({ user_id: userId, access_token: token, device_id: deviceId, home_server: serverName });
  };

  const sync = loggedIn(async ({ query, gone }) => {
    const since = query.get('since');
    const position = since === null ? 0 : Number(/^s(\d+)$/.exec(since)?.[1] ?? Number.NaN);
    if (Number.isNaN(position)) return refused(400, 'M_INVALID_PARAM', 'since is not a token of this server');
    const timeout = Number(query.get('timeout') ?? 0);
    await room.waitAfter(position, Number.isFinite(timeout) ? timeout : 0, gone);
    const events = room.after(position);
    const timeline = { events, limited: false, prev_batch: `s${String(position)}` };
    // The timeline is never limited, so there is no state before it that the client has not seen.
    const joined = { timeline, state: { events: [] }, ephemeral: { events: [] }, account_data: { events: [] } };
    return ok({
      next_batch: `s${String(room.position)}`,
      rooms: { join: events.length > 0 ? { [room.id]: joined } : {}, invite: {}, leave: {} },
    });
  });

  const send = loggedIn(({ path, body }, deviceId) => {
    const [, , , , roomId, , type = '', transactionId = ''] = path;
    if (roomId !== room.id) return refused(403, 'M_FORBIDDEN', 'You are not in this room');
    // The same transaction from the same device is the same event: a client that repeats a request must not say it twice.
    const transaction = JSON.stringify([deviceId, type, transactionId]);
    const eventId = transactions.get(transaction) ?? room.append({ type, sender: userId, content: body }).event_id;
    transactions.set(transaction, eventId);
    return ok({ event_id: eventId });
  });

  const keyDocument = (): Record<string, unknown> =>
    signJson(
      {
        server_name: serverName,
        valid_until_ts: Date.now() + KEY_VALID_MS,
        verify_keys: { [key.keyId]: { key: key.publicKey } },
        old_verify_keys: {},
      },
      serverName,
      key,
    );

  const only = (method: string, handler: Handler) => new Map([[method, handler]]);
  return new Map<string, Map<string, Handler>>([
    ['_matrix/client/versions', only('GET', () => ok({ versions: ['v1.11', 'v1.15'], unstable_features: {} }))],
    [
      '_matrix/client/v3/login',
      new Map<string, Handler>([
        ['GET', () => ok({ flows: [{ type: 'm.login.password' }] })],
        ['POST', login],
      ]),
    ],
    [
      '_matrix/client/v3/account/whoami',
      only(
        'GET',
        loggedIn((_request, deviceId) => ok({ user_id: userId, device_id: deviceId, is_guest: false })),
      ),
    ],
    [
      '_matrix/client/v3/joined_rooms',
      only(
        'GET',
        loggedIn(() => ok({ joined_rooms: [room.id] })),
      ),
    ],
    ['_matrix/client/v3/sync', only('GET', sync)],
    ['_matrix/client/v3/rooms/:/send/:/:', only('PUT', send)],
    ['_matrix/key/v2/server', only('GET', () => ok(keyDocument()))],
    ['_matrix/federation/v1/version', only('GET', () => ok({ server: { name: 'Portico demo homeserver', version } }))],
  ]);
}

function matches(pattern: string, path: readonly string[]): boolean {
  const parts = pattern.split('/');
  return parts.length === path.length && parts.every((part, index) => part === ':' || part === path[index]);
}

/**
 * Starts the demo homeserver.
 * @param serverName - the Matrix identity it signs as
 * @param version - what it says of itself in `/_matrix/federation/v1/version`
 */
export async function startDemoHomeserver(serverName: string, version: string): Promise<DemoHomeserver> {
  const table = handlers(serverName, version);

  const answer = async (message: IncomingMessage, gone: AbortSignal): Promise<Answer> => {
    const url = new URL(message.url ?? '/', 'http://localhost');
    const path = pathParts(url.pathname);
    const methods = path === null ? undefined : [...table].find(([pattern]) => matches(pattern, path))?.[1];
    if (path === null || methods === undefined) return refused(404, 'M_UNRECOGNIZED', 'Unrecognized request');
    const method = message.method ?? '';
    const handler = methods.get(method === 'HEAD' ? 'GET' : method);
    if (handler === undefined) return refused(405, 'M_UNRECOGNIZED', 'Method not allowed here');
    const body = await readBody(message);
    if (body === null) return refused(400, 'M_NOT_JSON', 'The body is not a JSON object of a sensible size');
    const token = /^Bearer (\S+)$/.exec(message.headers.authorization ?? '')?.[1] ?? null;
    return handler({ method, path, query: url.searchParams, body, token, gone });
  };

  const respond = (response: ServerResponse, { status, body }: Answer): void => {
    const text = JSON.stringify(body);
    response.writeHead(status, {
      ...CORS,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    response.end(text);
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (message, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    answer(message, gone.signal).then(
      (result) => respond(response, result),
      // The only thing that fails here is reading from a client that left in the middle of its body.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
