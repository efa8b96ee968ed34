/**
 * A well-behaved homeserver on node:http: echoes what it understood of each request as JSON, so that a test can compare
 * it with what the client meant.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the honest backend answers. */
export interface Echo {
  readonly method: string;
  /** Request target as received. */
  readonly url: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  readonly bodyLength: number;
  /** Lower-case hex. */
  readonly bodySha256: string;
}

/** A server that listens; `close` ends it with every connection. */
export interface HonestBackend {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts an echo server on 127.0.0.1 that also sets CORS fields, as homeservers do. */
export async function startHonestBackend(): Promise<HonestBackend> {
  const server = createServer({ keepAliveTimeout: 0 }, (request, answer) => {
    const hash = createHash('sha256');
    let bodyLength = 0;
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bodyLength += chunk.length;
    });
    request.on('end', () => {
      const echo: Echo = {
        method: request.method ?? '',
        url: request.url ?? '',
        rawHeaders: request.rawHeaders,
        bodyLength,
        bodySha256: hash.digest('hex'),
      };
      answer.setHeader('Content-Type', 'application/json');
      answer.setHeader('Access-Control-Allow-Origin', '*');
      answer.setHeader('Server', 'Honest/1');
      answer.end(JSON.stringify(echo));
    });
    request.on('error', () => answer.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
