/** A relay with the package http-proxy, as its README has it, with kept-alive upstream connections. */
import { Agent } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import { relayServer } from './tls-server.ts';

/** As much of the package as is used here; it lives in bench/node_modules, which type checks must not depend on. */
interface HttpProxy {
  createProxyServer(options: { target: string; agent: Agent; xfwd: boolean }): {
    web(request: IncomingMessage, response: ServerResponse): void;
    ws(request: IncomingMessage, socket: Duplex, head: Buffer): void;
    on(
      event: 'error',
      listener: (error: Error, request: IncomingMessage, response: ServerResponse | Duplex) => void,
    ): void;
  };
}

const { createProxyServer } = createRequire(import.meta.url)('http-proxy') as HttpProxy;
const { server, setting, serve } = relayServer();
const proxy = createProxyServer({
  target: `http://127.0.0.1:${String(setting.backendPort)}`,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 512 }),
  xfwd: true,
});
proxy.on('error', (_error, _request, response) => response.destroy());
server.on('request', (request, response) => proxy.web(request, response));
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));
serve();
