/**
 * The operator's HTTP port: `/metrics` for Prometheus, `/health/live` and `/health/ready` for orchestrators. Plain HTTP on
 * an address of its own, so `node:http` is good enough; it is never on the way of a Matrix request.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';

/** Options of {@link startMetricsServer}. */
export interface MetricsServerOptions {
  /** `host` undefined: all addresses; `port` 0: the system chooses. */
  readonly listen: { readonly host: string | undefined; readonly port: number };
  readonly metrics: Pick<Metrics, 'render'>;
  readonly health: Health;
}

/** A running metrics server. */
export interface MetricsServer {
  /** Where it really listens. */
  readonly address: { readonly host: string; readonly port: number };
  /** Stops accepting, ends open connections and resolves when all are gone. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const MAX_CONNECTIONS = 100;
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Starts the server.
 * @throws PorticoError `LISTEN_ADDRESS_IN_USE`, `LISTEN_NOT_PERMITTED` or `LISTEN_FAILED`
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => void respond(options, request, response));
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  // Scanners and health checkers that hang up early are not worth a line; Node has already closed or will time out.
  server.on('clientError', (_error, socket) => {
    socket.destroy();
  });
  await listen(server, options.listen);
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new PorticoError('LISTEN_FAILED', 'The metrics server has no address after it was started.');
  }
  return {
    address: { host: address.address, port: address.port },
    close: () => close(server),
  };
}

async function respond(options: MetricsServerOptions, request: IncomingMessage, response: ServerResponse) {
  let answer: Answer;
  try {
    answer = await answerTo(options, request);
  } catch (error) {
    answer = { status: 500, type: TEXT_TYPE, body: `${codeOf(error)}: ${messageOf(error)}\n` };
  }
  // The body of a request has no meaning here and is not read, so the connection cannot be used again.
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  response.writeHead(answer.status, {
    'Content-Type': answer.type,
    'Content-Length': Buffer.byteLength(answer.body),
    'Cache-Control': 'no-store',
    ...(answer.status === 405 ? { Allow: 'GET, HEAD' } : {}),
    ...(hasBody ? { Connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo({ metrics, health }: MetricsServerOptions, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0];
  const known = path === '/metrics' || path === '/health/live' || path === '/health/ready';
  if (!known) return { status: 404, type: TEXT_TYPE, body: 'try /metrics, /health/live or /health/ready\n' };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: TEXT_TYPE, body: 'GET and HEAD only\n' };
  }
  if (path === '/metrics') return { status: 200, type: METRICS_TYPE, body: await metrics.render() };
  if (path === '/health/live') {
    return health.live()
      ? { status: 200, type: TEXT_TYPE, body: 'live\n' }
      : { status: 503, type: TEXT_TYPE, body: 'broken\n' };
  }
  const { ok, reasons } = health.ready();
  return ok
    ? { status: 200, type: TEXT_TYPE, body: 'ready\n' }
    : { status: 503, type: TEXT_TYPE, body: `not ready\n${reasons.join('\n')}\n` };
}

async function listen(server: Server, { host, port }: MetricsServerOptions['listen']): Promise<void> {
  const where = `${host ?? '*'}:${String(port)}`;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw listenError(where, cause);
  }
  // Errors of single connections arrive as clientError; what is left (EMFILE on accept) passes by itself.
  server.on('error', () => undefined);
}

function listenError(where: string, cause: unknown): PorticoError {
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new PorticoError('LISTEN_ADDRESS_IN_USE', `Another program already listens on ${where}.`, {
        fix: 'Stop it, or choose another address for metrics.listen.',
        cause,
      });
    case 'EACCES':
      return new PorticoError('LISTEN_NOT_PERMITTED', `The system does not permit listening on ${where}.`, {
        fix: 'Choose a port above 1023 for metrics.listen, or grant CAP_NET_BIND_SERVICE.',
        cause,
      });
    default:
      return new PorticoError('LISTEN_FAILED', `Listening on ${where} failed: ${messageOf(cause)}.`, {
        fix: 'Set metrics.listen to an address of this machine.',
        cause,
      });
  }
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
