/** A backend that says in its answer what it saw. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { noise } from './cases.ts';

/** What arrived at the backend. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly bodyHash: string;
  readonly bodyBytes: number;
}

/** Serving. */
export interface RecordingBackend {
  readonly port: number;
  /** Everything seen since the last call. */
  take(): Seen[];
  close(): Promise<void>;
}

/** Of a body. */
export function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Starts it on a free port of loopback. Paths with `/download/` get 1 MB, all others 51 bytes. */
export async function startRecordingBackend(): Promise<RecordingBackend> {
  let seen: Seen[] = [];
  const server = createServer((request, response) => {
    collect(request)
      .then((body) => {
        seen.push({
          method: request.method ?? '',
          target: request.url ?? '',
          host: request.headers.host ?? '',
          bodyHash: hashOf(body),
          bodyBytes: body.length,
        });
        answer(request, response);
      })
      // A contender that breaks off is found out by the client.
      .catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    take: () => {
      const all = seen;
      seen = [];
      return all;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function collect(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const body = noise(request.url?.includes('/download/') === true ? 1_000_000 : 51);
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
