/**
 * The admin socket: HTTP over a unix socket of mode 0600, for the commands that talk to the running process. Whoever can
 * open it may do everything it offers; there is no other authentication.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { ADMIN_ROUTES, type AdminApi, type AdminRoute, type ErrorReport, type ProblemRow } from './api.ts';
import { listenPrivately } from './socket.ts';

/** A running admin server. */
export interface AdminServer {
  readonly path: string;
  /** Takes no more questions, answers those it has, and removes the socket. */
  close(): Promise<void>;
}

/** What it answers with. */
export interface AdminServerOptions {
  /** Absolute. */
  readonly path: string;
  readonly api: AdminApi;
  /** Hears of errors that are none of a caller's making. */
  readonly onDefect: (error: unknown) => void;
}

const MAX_CONNECTIONS = 16;
const MAX_HEAD_BYTES = 8192;
/** The one body there is holds a name. */
const MAX_BODY_BYTES = 4096;
const REQUEST_MS = 10_000;
/** What `close` gives answers that are under way; whoever connected and says nothing must not hold the process. */
const CLOSE_MS = 2000;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Starts it.
 * @throws PorticoError `ADMIN_SOCKET_IN_USE`, `ADMIN_SOCKET_FAILED`
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => {
    void respond(options, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = REQUEST_MS;
  server.requestTimeout = REQUEST_MS;
  server.on('clientError', (_error, socket) => {
    socket.destroy();
  });
  await listenPrivately(server, options.path);
  server.on('error', options.onDefect);
  return {
    path: options.path,
    close: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.closeAllConnections();
        }, CLOSE_MS);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function respond(
  { api, onDefect }: AdminServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // The caller may go away at any time.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  let answer: Answer;
  try {
    answer = await answerTo(api, request);
  } catch (error) {
    if (!(error instanceof PorticoError)) onDefect(error);
    answer = { status: statusOf(error), body: errorReport(error) };
  }
  const body = `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  response.end(body);
}

async function answerTo(api: AdminApi, request: IncomingMessage): Promise<Answer> {
  const { method, url } = request;
  const route = (Object.keys(ADMIN_ROUTES) as AdminRoute[]).find((name) => ADMIN_ROUTES[name].path === url);
  if (route === undefined) {
    throw badRequest(`There is nothing at ${(url ?? '').slice(0, 100)}.`);
  }
  if (ADMIN_ROUTES[route].method !== method) {
    throw badRequest(`${ADMIN_ROUTES[route].path} takes ${ADMIN_ROUTES[route].method}.`);
  }
  const body = await readBody(request);
  switch (route) {
    case 'status':
      return { status: 200, body: api.status() };
    case 'reload':
      return { status: 200, body: await api.reload() };
    case 'drain':
      return { status: 202, body: api.drain() };
    case 'certificates':
      return { status: 200, body: { certificates: await api.certificates() } };
    case 'renew':
      return { status: 200, body: await api.renew(nameIn(body)) };
    case 'rollover':
      return { status: 200, body: await api.rollover() };
    case 'canary':
      return { status: 200, body: api.canary() };
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw badRequest('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function nameIn(body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = null;
  }
  if (typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string') {
    return value.name;
  }
  throw badRequest('The body must be {"name": "…"}.');
}

function badRequest(message: string): PorticoError {
  return new PorticoError('ADMIN_REQUEST_INVALID', message, {
    fix: 'Use the portico command of the same version as the running process.',
  });
}

function statusOf(error: unknown): number {
  if (!(error instanceof PorticoError)) return 500;
  return error.code === 'ADMIN_REQUEST_INVALID' ? 400 : 422;
}

function errorReport(error: unknown): ErrorReport {
  const fix = error instanceof PorticoError ? (error.fix ?? null) : null;
  const code = error instanceof PorticoError ? error.code : 'ADMIN_DEFECT';
  const message = error instanceof PorticoError ? error.message : `${codeOf(error)}: ${messageOf(error)}`;
  return { error: { code, message, fix }, problems: problemsOf(error) };
}

function problemsOf(error: unknown): readonly ProblemRow[] {
  return error instanceof PorticoError && 'problems' in error && Array.isArray(error.problems)
    ? (error.problems as ProblemRow[])
    : [];
}
