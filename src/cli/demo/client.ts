/** A small HTTPS client for the demo's checks: one request, certificate verified against the local CA, nothing hidden. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/** How long one request of a check may take; far above what a loopback needs. */
const LIMIT_MS = 10_000;

/** A listener of the running Portico, and what a client needs to trust it. */
export interface Target {
  host: string;
  port: number;
  /** Sent as SNI and verified against the certificate. */
  servername: string;
  /** PEM; null: plain HTTP. */
  ca: string | null;
}

/** What to ask. */
export interface Ask {
  method?: string;
  path: string;
  /** Host field; default: the target's `servername:port`. */
  host?: string;
  token?: string;
  json?: Record<string, unknown>;
}

/** What came back. */
export interface Reply {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** Sends one request on a connection of its own. Rejects when it cannot be had, verified or finished within 10 s. */
export function ask(target: Target, { method = 'GET', path, host, token, json }: Ask): Promise<Reply> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const headers: Record<string, string> = { Host: host ?? `${target.servername}:${String(target.port)}` };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const common = { host: target.host, port: target.port, method, path, headers, agent: false as const };
  return new Promise((resolve, reject) => {
    const request =
      target.ca === null
        ? httpRequest(common)
        : httpsRequest({ ...common, ca: target.ca, servername: target.servername, rejectUnauthorized: true });
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${String(LIMIT_MS / 1000)} s`)),
      LIMIT_MS,
    );
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.end(body);
  });
}

/** A reply's body as a JSON object. Throws when it is none. */
export function jsonOf(reply: Reply): Record<string, unknown> {
  const value: unknown = JSON.parse(reply.text);
  if (typeof value !== 'object' || value === null) throw new Error('the body is not a JSON object');
  return value as Record<string, unknown>;
}

/** What a handshake showed. */
export interface Handshake {
  protocol: string;
  cipher: string;
  certificate: PeerCertificate;
}

/** Makes one TLS handshake, verified against the target's CA and name, and closes. Rejects when it does not come to be. */
export function handshake(target: Target): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      host: target.host,
      port: target.port,
      servername: target.servername,
      ca: target.ca ?? undefined,
      ALPNProtocols: ['http/1.1'],
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no handshake within ${String(LIMIT_MS / 1000)} s`)),
      LIMIT_MS,
    );
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error('closed before the handshake was done'));
    });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      resolve({
        protocol: socket.getProtocol() ?? 'unknown',
        cipher: socket.getCipher().name,
        certificate: socket.getPeerCertificate(),
      });
      socket.destroy();
    });
  });
}
