/** Node's own clients, as somebody with no stake in any contender: one request each, over HTTP/1.1 or HTTP/2. */
import { connect as connectHttp2, constants } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { SERVER_NAME } from '../setup/stand.ts';
import type { Case } from './cases.ts';

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** The protocol that was spoken. */
  readonly protocol: string;
}

const LIMIT_MS = 10_000;

/** Host as every client sends it here: the name and the port. */
export function hostOf(port: number): string {
  return `${SERVER_NAME}:${String(port)}`;
}

/** Sends a case; rejects when there is no whole answer in time. The certificate must be good for the name. */
export function send(protocol: 'h1' | 'h2', port: number, ca: string, one: Case): Promise<Answer> {
  const answer = protocol === 'h1' ? sendHttp1(port, ca, one) : sendHttp2(port, ca, one);
  return Promise.race([
    answer,
    new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`no answer within ${String(LIMIT_MS / 1000)} s`)), LIMIT_MS).unref(),
    ),
  ]);
}

function lengthOf(one: Case): Record<string, string> {
  if (one.method === 'GET' || one.method === 'HEAD' || one.chunked === true) return {};
  return { 'content-length': String(one.body.length) };
}

function sendHttp1(port: number, ca: string, one: Case): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = requestHttps({
      host: '127.0.0.1',
      port,
      ca,
      servername: SERVER_NAME,
      agent: false,
      method: one.method,
      path: one.target,
      headers: {
        host: hostOf(port),
        ...lengthOf(one),
        ...(one.chunked === true ? { 'transfer-encoding': 'chunked' } : {}),
      },
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const body = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, body, protocol: `HTTP/${response.httpVersion}` });
      });
    });
    request.end(one.body);
  });
}

function sendHttp2(port: number, ca: string, one: Case): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://127.0.0.1:${String(port)}`, { ca, servername: SERVER_NAME });
    session.once('error', reject);
    const stream = session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: one.method,
        [constants.HTTP2_HEADER_PATH]: one.target,
        [constants.HTTP2_HEADER_AUTHORITY]: hostOf(port),
        ...lengthOf(one),
      },
      { endStream: one.method === 'GET' || one.method === 'HEAD' },
    );
    let status = 0;
    const chunks: Buffer[] = [];
    stream.once('response', (headers) => (status = Number(headers[constants.HTTP2_HEADER_STATUS])));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', reject);
    stream.once('close', () => {
      session.close();
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
        reject(new Error(`the stream was reset: ${String(stream.rstCode)}`));
      resolve({ status, body: Buffer.concat(chunks), protocol: 'HTTP/2' });
    });
    if (!stream.writableEnded) stream.end(one.body);
  });
}
