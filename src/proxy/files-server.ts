/**
 * Serves the static files of a `files` fallback: a small server of its own on a unix socket, so that the relay treats it as any
 * upstream and every protocol in front gets the same. The npm package `send` does the work: ranges, ETag, Last-Modified,
 * index.html, no way out of the directory by name.
 *
 * Symbolic links are followed: whoever may write into the directory decides what is public. Names that start with a dot are
 * served as if they did not exist (`.git`, `.htpasswd`), except below `/.well-known/`, which is meant to be public (RFC 8615).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import send from 'send';
import { PorticoError } from '../base/errors.ts';
import type { Refusal } from '../policy/decision.ts';
import { answerFor } from './answers.ts';
import type { UpstreamData } from './snapshot.ts';

/** A running files server. */
export interface FilesServer {
  /** Where the relay finds it. */
  readonly upstream: UpstreamData;
  /** Stops at once, transfers included, and removes the socket. */
  close(): Promise<void>;
}

export interface FilesServerOptions {
  /** Absolute path; read anew for every request, so that a new version of the site needs no reload. */
  readonly directory: string;
}

/** The kernel's limit for the path of a unix socket, with its final NUL (sun_path in unix(7); 104 on macOS). */
const MAX_SOCKET_PATH = 103;

/**
 * Starts serving a directory. The socket lies in a fresh directory that only this user can enter.
 * @throws PorticoError `FILES_SERVER_FAILED` when no socket can be made in the temporary directory
 */
export async function startFilesServer(options: FilesServerOptions): Promise<FilesServer> {
  const { directory } = options;
  const server = createServer(
    { maxHeaderSize: 128 * 1024, requestTimeout: 0, headersTimeout: 0 },
    (request, response) => {
      serve(directory, request, response);
    },
  );
  // The relay closes idle connections; a server that does so as well can do it just when a request is on its way.
  server.keepAliveTimeout = 0;
  let home: string;
  try {
    home = await mkdtemp(join(tmpdir(), 'portico-files-'));
  } catch (cause) {
    throw failed('no temporary directory can be made', cause);
  }
  const socketPath = join(home, 'socket');
  const removeHome = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
      throw new PorticoError('FILES_SERVER_FAILED', `the path of the socket is too long: ${socketPath}`, {
        fix: 'Set TMPDIR to a shorter path.',
      });
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    await removeHome();
    throw cause instanceof PorticoError ? cause : failed(`no socket can be made at ${socketPath}`, cause);
  }
  return {
    upstream: { id: `files:${directory}`, transport: 'unix', host: '', port: 0, socketPath, ca: null },
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
      await removeHome();
    },
  };
}

function failed(what: string, cause: unknown): PorticoError {
  return new PorticoError('FILES_SERVER_FAILED', `static files cannot be served: ${what}`, {
    fix: 'Let the user that runs Portico write to the temporary directory, or set TMPDIR.',
    cause,
  });
}

function serve(directory: string, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answer(request, response, METHOD);
    return;
  }
  const path = (request.url ?? '/').replace(/\?.*$/s, '');
  send(request, path, { root: directory, dotfiles: isPublicDotPath(path) ? 'allow' : 'ignore' })
    .on('error', (error: Error & { status?: number; headers?: Record<string, string> }) => {
      const range = error.headers?.['Content-Range'];
      if (range !== undefined) response.setHeader('Content-Range', range);
      answer(request, response, PROBLEMS[error.status ?? 500] ?? BROKEN);
    })
    .pipe(response);
}

/** `/.well-known/…` in plain letters, with no further name that starts with a dot. */
function isPublicDotPath(path: string): boolean {
  return /^\/\.well-known\/(?:[^/%\\.][^/%\\]*\/)*(?:[^/%\\.][^/%\\]*)?$/.test(path);
}

function answer(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    // The file broke off while it was read: the relay must not take what it got for the whole.
    response.destroy();
    return;
  }
  const id = request.headers['x-request-id'];
  const { status, fields, body } = answerFor(refusal, {
    matrix: false,
    accept: request.headers.accept ?? null,
    requestId: typeof id === 'string' ? id : '-',
  });
  for (let index = 0; index + 1 < fields.length; index += 2)
    response.setHeader(fields[index] ?? '', fields[index + 1] ?? '');
  response.statusCode = status;
  response.setHeader('Content-Length', Buffer.byteLength(body));
  // These were set for the file, not for this answer.
  response.removeHeader('ETag');
  response.removeHeader('Last-Modified');
  // A body that nobody reads ends with the connection.
  if (request.method !== 'GET' && request.method !== 'HEAD') response.setHeader('Connection', 'close');
  response.end(request.method === 'HEAD' ? undefined : body);
}

const METHOD = problem('FILE_METHOD', 405, 'M_UNRECOGNIZED', 'This page can only be read.', 'GET, HEAD');
const BROKEN = problem('FILE_UNREADABLE', 500, 'M_UNKNOWN', 'This page cannot be read.');
const MISSING = problem('FILE_NOT_FOUND', 404, 'M_NOT_FOUND', 'There is nothing here.');

/** What `send` reports, by status. A path it refuses (403: it climbs) is a page that does not exist. */
const PROBLEMS: Readonly<Record<number, Refusal>> = {
  400: problem('FILE_PATH_INVALID', 400, 'M_UNKNOWN', 'This path is not valid.'),
  403: MISSING,
  404: MISSING,
  412: problem('FILE_PRECONDITION', 412, 'M_UNKNOWN', 'The page has changed.'),
  416: problem('FILE_RANGE', 416, 'M_UNKNOWN', 'The page has no such range.'),
};

function problem(code: string, status: number, errcode: string, error: string, allow?: string): Refusal {
  return Object.freeze({ code, status, errcode, error, ...(allow !== undefined && { allow }) });
}
