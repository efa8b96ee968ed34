/**
 * A homeserver that keeps every byte it was sent and answers from a script. It reads leniently on purpose: what a careless
 * parser would have executed is what a smuggling test must look at.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ByteReader } from './byte-reader.ts';
import { HEAD_END, executions, lenientFraming, readHead, valuesIn } from './lenient-http.ts';
import type { LenientHead } from './lenient-http.ts';

/** One connection that was accepted, and every byte that came over it. */
export interface BackendConnection {
  readonly id: number;
  /** All bytes so far. */
  bytes(): Buffer;
  /** How the proxy ended it; null while it is open. */
  readonly ending: 'fin' | 'reset' | 'closed' | null;
  readonly socket: Socket;
}

/** One request as the backend took it (chunked before Content-Length). */
export interface BackendRequest extends LenientHead {
  readonly connection: number;
  /** Body bytes that came so far, decoded. */
  body: Buffer;
  /** True when the body was framed to its end: what an honest homeserver would act on. */
  complete: boolean;
  /** Trailer lines of a chunked body. */
  trailers: string[];
  /** Chunk-size lines of a chunked body, as sent. */
  chunkLines: string[];
  /** All values of a field. */
  values(name: string): string[];
}

/** What a script works with: one request, and the means to answer it in any way, also wrongly. */
export interface BackendExchange {
  readonly request: BackendRequest;
  /** 0 for the first request of the backend's life, and so on. */
  readonly index: number;
  /** 0 for the first request on this connection. */
  readonly indexOnConnection: number;
  readonly socket: Socket;
  /** The whole body; null when the connection ended before it was complete. */
  body(): Promise<Buffer | null>;
  /** Sends bytes as they are (strings as latin1); resolves when the system has them or the socket is gone. */
  write(data: string | Uint8Array): Promise<void>;
  /** Ends our half. */
  end(): void;
  /** Closes with a TCP reset. */
  reset(): void;
  /** Takes the connection out of HTTP: what follows the head is read from the reader. */
  takeOver(): ByteReader;
}

/** Answers one request. The default answers 200 with `{}` once the body is there. */
export type Script = (exchange: BackendExchange) => void | Promise<void>;

/** Bytes of a response with a Content-Length. */
export function response(
  status: number,
  body = '{}',
  fields: readonly string[] = ['Content-Type: application/json'],
): string {
  const lines = [
    `HTTP/1.1 ${String(status)} Scripted`,
    ...fields,
    `Content-Length: ${String(Buffer.byteLength(body, 'latin1'))}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** A script that waits for the body and then sends these bytes. */
export function answer(bytes: string | Uint8Array): Script {
  return async (exchange) => {
    if ((await exchange.body()) !== null) await exchange.write(bytes);
  };
}

/** Where and how to listen. */
export interface RecordingBackendOptions {
  readonly script?: Script;
  /** Listen on a unix socket instead of 127.0.0.1:0. */
  readonly socketPath?: string;
  /** Speak TLS with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly host?: string;
  readonly port?: number;
}

/** A backend that listens; `close` ends it and every connection. */
export class RecordingBackend {
  readonly connections: BackendConnection[] = [];
  readonly requests: BackendRequest[] = [];
  /** Errors of scripts; a test that expects none looks here. */
  readonly scriptErrors: unknown[] = [];
  script: Script;
  readonly #server: Server;
  readonly #options: RecordingBackendOptions;
  #sockets = new Set<Socket>();

  private constructor(options: RecordingBackendOptions) {
    this.#options = options;
    this.script = options.script ?? answer(response(200));
    const accept = (socket: Socket): void => {
      this.#accept(socket);
    };
    this.#server =
      options.tls === undefined
        ? createServer({ allowHalfOpen: true, noDelay: true }, accept)
        : createTlsServer({ ...options.tls, ...{ allowHalfOpen: true } }, accept);
    // Also sees the sockets under TLS, so that a handshake that failed does not keep `close` waiting.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
  }

  /** Starts listening. */
  static async start(options: RecordingBackendOptions = {}): Promise<RecordingBackend> {
    const backend = new RecordingBackend(options);
    await new Promise<void>((resolve, reject) => {
      backend.#server.once('error', reject);
      const listening = (): void => {
        resolve();
      };
      if (options.socketPath === undefined) {
        backend.#server.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' }, listening);
      } else backend.#server.listen({ path: options.socketPath }, listening);
    });
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As `homeserver.url` wants it. */
  get url(): string {
    if (this.#options.socketPath !== undefined) return `unix:${this.#options.socketPath}`;
    const host = this.#options.host ?? '127.0.0.1';
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${String(this.port)}`;
  }

  /** Every byte of every connection, latin1. */
  text(): string {
    return this.connections.map((connection) => connection.bytes().toString('latin1')).join('');
  }

  /** `METHOD target` of everything that any careless reader would have executed. */
  executed(): string[] {
    const all = this.connections.flatMap((connection) =>
      (['te-first', 'cl-first', 'cl-last'] as const).flatMap((reading) => executions(connection.bytes(), reading)),
    );
    return [...new Set(all)];
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    const chunks: Buffer[] = [];
    const reader = new ByteReader(socket, (chunk) => chunks.push(chunk));
    this.connections.push({
      id: this.connections.length,
      socket,
      bytes: () => Buffer.concat(chunks),
      get ending() {
        return reader.ending;
      },
    });
    const id = this.connections.length - 1;
    this.#serve(socket, reader, id).catch((error: unknown) => this.scriptErrors.push(error));
  }

  async #serve(socket: Socket, reader: ByteReader, connection: number): Promise<void> {
    for (let indexOnConnection = 0; ; indexOnConnection += 1) {
      const bytes = await reader.until(HEAD_END);
      if (bytes === null) {
        socket.end();
        return;
      }
      const head = readHead(bytes.toString('latin1'));
      const request: BackendRequest = {
        ...head,
        connection,
        body: Buffer.alloc(0),
        complete: false,
        trailers: [],
        chunkLines: [],
        values: (name) => valuesIn(head, name),
      };
      const index = this.requests.length;
      this.requests.push(request);
      let tookOver = false;
      let body: Promise<Buffer | null> | null = null;
      const readBody = (): Promise<Buffer | null> => (body ??= receiveBody(reader, request));
      const exchange: BackendExchange = {
        request,
        index,
        indexOnConnection,
        socket,
        body: readBody,
        write: (data) =>
          new Promise((resolve) => {
            socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data, () => {
              resolve();
            });
          }),
        end: () => {
          socket.end();
        },
        reset: () => {
          socket.resetAndDestroy();
        },
        takeOver: () => {
          tookOver = true;
          return reader;
        },
      };
      await this.script(exchange);
      // A script may take the connection over; the compiler does not see that the callback ran.
      if (tookOver as boolean) return;
      if ((await readBody()) === null) return;
    }
  }
}

async function receiveBody(reader: ByteReader, request: BackendRequest): Promise<Buffer | null> {
  const framing = lenientFraming(request, 'te-first');
  if (framing !== 'chunked') {
    let left = framing;
    while (left > 0) {
      const part = await reader.exactly(Math.max(1, Math.min(reader.buffered, left)));
      if (part === null) return null;
      request.body = Buffer.concat([request.body, part]);
      left -= part.length;
    }
    request.complete = true;
    return request.body;
  }
  for (;;) {
    const line = await reader.until(/\r?\n/);
    if (line === null) return null;
    const text = line.toString('latin1').trimEnd();
    request.chunkLines.push(text);
    const size = Number.parseInt(text, 16);
    if (!(size > 0)) break;
    const chunk = await reader.exactly(size);
    if (chunk === null || (await reader.until(/^\r?\n/)) === null) return null;
    request.body = Buffer.concat([request.body, chunk]);
  }
  for (;;) {
    const line = await reader.until(/\r?\n/);
    if (line === null) return null;
    const text = line.toString('latin1').trimEnd();
    if (text === '') break;
    request.trailers.push(text);
  }
  request.complete = true;
  return request.body;
}
