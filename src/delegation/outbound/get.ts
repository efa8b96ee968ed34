/**
 * One GET over a connection that has been dialled: HTTP/1.1, one request a connection, bounded in time and size, redirects
 * not followed. Names are never looked up here: the caller says which address.
 */
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { codeOf, messageOf, PorticoError } from '../../base/errors.ts';
import { dial, trustProblem } from './dial.ts';
import type { Dialled, DialSetting, DialTarget } from './dial.ts';

/** What to ask for, of whom. */
export interface Request extends DialTarget {
  /** The Host field. */
  readonly host: string;
  /** Path with query. */
  readonly path: string;
  /** Largest body taken, in bytes. */
  readonly maxBytes: number;
  /** Further fields; an Origin for questions about CORS. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** What to ask for, of whom, and how that one is known. */
export interface GetRequest extends Request {
  /** Whom the certificate must be for, DNS name or IP literal. */
  readonly certificateName: string;
}

/** What came back. */
export interface Reply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Milliseconds to the last byte. */
  readonly ms: number;
}

/**
 * Asks one address.
 * @throws PorticoError what {@link dial} throws; `TLS_UNTRUSTED`, `HTTP_TIMEOUT`, `HTTP_FAILED`, `HTTP_TOO_LARGE`
 */
export async function get(request: GetRequest, setting: DialSetting, signal?: AbortSignal): Promise<Reply> {
  const started = setting.clock.monotonic();
  const { socket, seen } = await dial(request, setting, signal);
  try {
    const problem = trustProblem(seen, request.certificateName);
    if (problem !== null) {
      throw new PorticoError('TLS_UNTRUSTED', `${where(request)}: ${problem}.`, {
        fix: `Serve a certificate for ${request.certificateName} from an authority that others trust, with its chain.`,
      });
    }
    const reply = await exchange(request, socket, setting.timeoutMs, signal);
    return { ...reply, ms: Math.round(setting.clock.monotonic() - started) };
  } finally {
    socket.destroy();
  }
}

/**
 * Makes one request on an open connection, whoever is at its other end, and ends the connection.
 * @throws PorticoError `HTTP_TIMEOUT`, `HTTP_FAILED`, `HTTP_TOO_LARGE`
 */
export async function getOn(
  { socket }: Dialled,
  request: Request,
  setting: DialSetting,
  signal?: AbortSignal,
): Promise<Reply> {
  const started = setting.clock.monotonic();
  try {
    const reply = await exchange(request, socket, setting.timeoutMs, signal);
    return { ...reply, ms: Math.round(setting.clock.monotonic() - started) };
  } finally {
    socket.destroy();
  }
}

function exchange(
  request: Request,
  socket: Dialled['socket'],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Omit<Reply, 'ms'>> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => socket,
      method: 'GET',
      path: request.path,
      headers: { Host: request.host, 'User-Agent': 'Portico', Accept: 'application/json', ...request.fields },
    });
    const finish = (error: PorticoError | null, reply?: Omit<Reply, 'ms'>): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (reply !== undefined) resolve(reply);
      else reject(error ?? failed(request, 'closed in the middle'));
      outgoing.destroy();
    };
    const tooLate = (): void =>
      finish(new PorticoError('HTTP_TIMEOUT', `${where(request)}: no answer within ${String(timeoutMs)} ms.`));
    const abort = (): void =>
      finish(
        new PorticoError('HTTP_TIMEOUT', `${where(request)}: given up, the time for everything together is over.`),
      );
    const timer = setTimeout(tooLate, timeoutMs);
    // First of all: whatever ends the request below may be followed by an error event.
    outgoing.on('error', (error) => finish(failed(request, reasonOf(error), error)));
    if (signal?.aborted === true) {
      abort();
      return;
    }
    signal?.addEventListener('abort', abort, { once: true });
    let responded = false;
    // Once there is a response, its reader notices a premature end; an orderly close may come before it has read all.
    outgoing.on('close', () => {
      if (!responded) finish(null);
    });
    outgoing.on('response', (response) => {
      responded = true;
      read(response, request.maxBytes).then(
        (body) => {
          const status = response.statusCode ?? 0;
          const limit = String(request.maxBytes);
          if (body !== null) finish(null, { status, headers: response.headers, body });
          else finish(new PorticoError('HTTP_TOO_LARGE', `${where(request)}: the body is larger than ${limit} bytes.`));
        },
        (error: unknown) => finish(failed(request, reasonOf(error), error)),
      );
    });
    outgoing.end();
  });
}

/** The body; null when it is too large. */
async function read(response: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function where({ address, port, path }: Request): string {
  return `${address} port ${String(port)}, ${path}`;
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return code === 'UNKNOWN' ? messageOf(error) : code;
}

function failed(request: Request, why: string, cause?: unknown): PorticoError {
  return new PorticoError('HTTP_FAILED', `${where(request)}: no usable HTTP response (${why}).`, { cause });
}
