/** A small Matrix client for tests: one account on one homeserver, every call over TLS that is verified. */
import { randomUUID } from 'node:crypto';
import { delay } from '../../helpers/eventually.ts';
import { webRequest } from './web-request.ts';
import type { WebResponse } from './web-request.ts';

/** Where a homeserver is and which CA its front door's certificate comes from. */
export interface HomeserverAddress {
  /** `https://localhost:PORT` */
  readonly base: string;
  readonly ca: string;
}

/** An event as `/sync` gives it; more fields may be there. */
export interface TimelineEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly content: Record<string, unknown>;
}

/** The part of a `/sync` answer that tests look at. */
export interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Record<string, { readonly timeline?: { readonly events?: TimelineEvent[] } }>;
    readonly invite?: Record<string, unknown>;
  };
}

/** The homeserver, or what is in front of it, answered with another status than 200. */
export class MatrixRequestError extends Error {
  override readonly name = 'MatrixRequestError';
  readonly status: number;
  readonly body: string;

  constructor(what: string, response: WebResponse) {
    const body = response.body.toString('utf8', 0, 2000);
    super(`${what}: ${response.status} ${body}`);
    this.status = response.status;
    this.body = body;
  }
}

const segment = encodeURIComponent;
const json = (value: unknown): { body: string; headers: Record<string, string> } => ({
  body: JSON.stringify(value),
  headers: { 'Content-Type': 'application/json' },
});
const CLIENT = '/_matrix/client/v3';

interface Call {
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly timeoutMs?: number;
}

/** One logged-in account. Made with {@link registerAccount} or {@link logIn}. */
export class MatrixClient {
  readonly #address: HomeserverAddress;
  readonly #token: string;
  /** Full user id. */
  readonly userId: string;

  constructor(address: HomeserverAddress, token: string, userId: string) {
    this.#address = address;
    this.#token = token;
    this.userId = userId;
  }

  /** The answer to any request, whatever its status. */
  raw(method: string, path: string, call: Call = {}): Promise<WebResponse> {
    return webRequest({
      ...this.#address,
      method,
      path,
      ...call,
      headers: { Authorization: `Bearer ${this.#token}`, ...call.headers },
    });
  }

  /**
   * The JSON of a request that succeeded.
   *
   * @throws MatrixRequestError
   */
  async call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const response = await this.raw(method, path, call);
    if (response.status !== 200) throw new MatrixRequestError(`${method} ${path}`, response);
    return JSON.parse(response.body.toString('utf8')) as T;
  }

  /** Makes a public room and returns its id. */
  async createRoom(options: Record<string, unknown> = {}): Promise<string> {
    const body = json({ preset: 'public_chat', ...options });
    return (await this.call<{ room_id: string }>('POST', `${CLIENT}/createRoom`, body)).room_id;
  }

  /** Joins by id or alias; `via` names servers to ask. Returns the room id. */
  async join(room: string, via: readonly string[] = []): Promise<string> {
    const query = via.map((name) => `server_name=${segment(name)}&via=${segment(name)}`).join('&');
    const path = `${CLIENT}/join/${segment(room)}${query === '' ? '' : `?${query}`}`;
    return (await this.call<{ room_id: string }>('POST', path, json({}))).room_id;
  }

  /** Sends a text message and returns its event id. */
  async send(roomId: string, text: string): Promise<string> {
    const path = `${CLIENT}/rooms/${segment(roomId)}/send/m.room.message/${randomUUID()}`;
    const body = json({ msgtype: 'm.text', body: text });
    return (await this.call<{ event_id: string }>('PUT', path, body)).event_id;
  }

  /** One `/sync`; waits at the homeserver for up to `timeoutMs` when there is nothing new since `since`. */
  sync(since?: string, timeoutMs = 0): Promise<SyncAnswer> {
    const query = `timeout=${timeoutMs}${since === undefined ? '' : `&since=${segment(since)}`}`;
    return this.call('GET', `${CLIENT}/sync?${query}`, { timeoutMs: timeoutMs + 60_000 });
  }

  /** Waits until a message with this text is in the room's timeline, and returns it. */
  async waitForMessage(roomId: string, text: string, limitMs = 60_000): Promise<TimelineEvent> {
    const deadline = Date.now() + limitMs;
    const path = `${CLIENT}/rooms/${segment(roomId)}/messages?dir=b&limit=50`;
    for (;;) {
      // Only just joined, a homeserver may still refuse to show the room.
      const response = await this.raw('GET', path);
      if (response.status === 200) {
        const { chunk } = JSON.parse(response.body.toString('utf8')) as { chunk: TimelineEvent[] };
        const found = chunk.find((event) => event.content.body === text);
        if (found !== undefined) return found;
      }
      if (Date.now() > deadline) throw new MatrixRequestError(`"${text}" did not arrive in ${roomId}`, response);
      await delay(200);
    }
  }

  /** Uploads and returns the mxc URI. */
  async upload(bytes: Buffer, name: string): Promise<string> {
    const answer = await this.call<{ content_uri: string }>(
      'POST',
      `/_matrix/media/v3/upload?filename=${segment(name)}`,
      {
        body: bytes,
        headers: { 'Content-Type': 'application/octet-stream' },
      },
    );
    return answer.content_uri;
  }

  /**
   * Downloads with authentication (Matrix v1.11).
   *
   * @throws MatrixRequestError
   */
  async download(mxc: string): Promise<Buffer> {
    const [, server = '', id = ''] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(mxc) ?? [];
    const path = `/_matrix/client/v1/media/download/${segment(server)}/${segment(id)}`;
    const response = await this.raw('GET', path);
    if (response.status !== 200) throw new MatrixRequestError(`GET ${path}`, response);
    return response.body;
  }

  /** Points an alias at a room. */
  async setAlias(alias: string, roomId: string): Promise<void> {
    await this.call('PUT', `${CLIENT}/directory/room/${segment(alias)}`, json({ room_id: roomId }));
  }

  /** The room an alias points at. */
  async resolveAlias(alias: string): Promise<string> {
    return (await this.call<{ room_id: string }>('GET', `${CLIENT}/directory/room/${segment(alias)}`)).room_id;
  }

  /** Sets the account's display name. */
  async setDisplayName(name: string): Promise<void> {
    await this.call('PUT', `${CLIENT}/profile/${segment(this.userId)}/displayname`, json({ displayname: name }));
  }

  /** The display name of any user, asked of this homeserver. */
  async displayName(userId: string): Promise<string> {
    const path = `${CLIENT}/profile/${segment(userId)}/displayname`;
    return (await this.call<{ displayname: string }>('GET', path)).displayname;
  }

  /** Devices of users as this homeserver knows them; for users elsewhere it asks their homeserver. */
  async queryKeys(userIds: readonly string[]): Promise<{ failures?: object; device_keys: Record<string, unknown> }> {
    const device_keys = Object.fromEntries(userIds.map((id) => [id, []]));
    return this.call('POST', `${CLIENT}/keys/query`, json({ device_keys, timeout: 20_000 }));
  }
}

/**
 * Registers an account the way a client does: asks without authentication, is told of the session, does the dummy stage.
 *
 * @throws MatrixRequestError
 */
export async function registerAccount(
  address: HomeserverAddress,
  localpart: string,
  password: string,
): Promise<MatrixClient> {
  const path = `${CLIENT}/register?kind=user`;
  const post = (extra: object): Promise<WebResponse> =>
    webRequest({ ...address, method: 'POST', path, ...json({ username: localpart, password, ...extra }) });
  const first = await post({});
  if (first.status !== 401) throw new MatrixRequestError(`POST ${path} (first)`, first);
  const { session } = JSON.parse(first.body.toString('utf8')) as { session: string };
  const second = await post({ auth: { type: 'm.login.dummy', session } });
  if (second.status !== 200) throw new MatrixRequestError(`POST ${path} (second)`, second);
  const answer = JSON.parse(second.body.toString('utf8')) as { access_token: string; user_id: string };
  return new MatrixClient(address, answer.access_token, answer.user_id);
}

/**
 * Logs in with a password.
 *
 * @throws MatrixRequestError
 */
export async function logIn(address: HomeserverAddress, user: string, password: string): Promise<MatrixClient> {
  const response = await webRequest({
    ...address,
    method: 'POST',
    path: `${CLIENT}/login`,
    ...json({ type: 'm.login.password', identifier: { type: 'm.id.user', user }, password }),
  });
  if (response.status !== 200) throw new MatrixRequestError('POST /login', response);
  const answer = JSON.parse(response.body.toString('utf8')) as { access_token: string; user_id: string };
  return new MatrixClient(address, answer.access_token, answer.user_id);
}
