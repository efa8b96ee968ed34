/** A relay with undici's pool: dispatch with a handler, which is its shortest way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { relayServer } from './tls-server.ts';

/** As much of the package as is used here; it lives in bench/node_modules, which type checks must not depend on. */
interface Undici {
  Pool: new (
    origin: string,
    options: { connections: number; pipelining: number; keepAliveTimeout: number },
  ) => {
    dispatch(request: DispatchRequest, handler: DispatchHandler): boolean;
  };
}
interface DispatchRequest {
  method: string;
  path: string;
  headers: string[];
  body: IncomingMessage | null;
  headersTimeout: number;
  bodyTimeout: number;
}
interface Controller {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}
interface DispatchHandler {
  onRequestStart(controller: Controller): void;
  onResponseStart(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    message: string,
  ): void;
  onResponseData(controller: Controller, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(controller: Controller, error: Error): void;
}

const { Pool } = createRequire(import.meta.url)('undici') as Undici;
/** Fields of one connection only (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'expect',
  'proxy-connection',
]);
const PATIENCE_MS = 600_000;

const { server, setting, serve } = relayServer();
const pool = new Pool(`http://127.0.0.1:${String(setting.backendPort)}`, {
  connections: 10_000,
  pipelining: 1,
  keepAliveTimeout: 60_000,
});

function requestHeaders(request: IncomingMessage): string[] {
  const headers: string[] = [];
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, rawHeaders[index + 1] ?? '');
  }
  const { remoteAddress = '' } = request.socket;
  headers.push('X-Forwarded-For', remoteAddress, 'X-Forwarded-Proto', 'https');
  return headers;
}

function handler(response: ServerResponse): DispatchHandler {
  return {
    onRequestStart: (controller) => {
      response.once('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client is gone'));
      });
    },
    onResponseStart: (_controller, status, headers) => {
      for (const name of HOP_BY_HOP) headers[name] = undefined;
      const kept = Object.entries(headers).filter(
        (entry): entry is [string, string | string[]] => entry[1] !== undefined,
      );
      response.writeHead(status, Object.fromEntries(kept));
    },
    onResponseData: (controller, chunk) => {
      if (response.write(chunk)) return;
      controller.pause();
      response.once('drain', () => controller.resume());
    },
    onResponseEnd: () => response.end(),
    onResponseError: () => response.destroy(),
  };
}

server.on('request', (request, response) => {
  const { method = 'GET', url = '/', headers } = request;
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  pool.dispatch(
    {
      method,
      path: url,
      headers: requestHeaders(request),
      body: hasBody ? request : null,
      headersTimeout: PATIENCE_MS,
      bodyTimeout: PATIENCE_MS,
    },
    handler(response),
  );
});
serve();
