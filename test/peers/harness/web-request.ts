/** One HTTP request as a well-behaved client makes it: certificates verified, the path sent as it stands. */
import { request as requestHttp } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { rootCertificates } from 'node:tls';

const DEFAULT_LIMIT_MS = 120_000;

/** What to send. */
export interface WebRequest {
  readonly method?: string;
  /** Scheme, host and port: `https://localhost:8448`. */
  readonly base: string;
  /** Target with query, percent-encoded by the caller. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** CA to trust beyond the well-known ones; needed for https. */
  readonly ca?: string;
  /** SNI and the name that the certificate must have; default: the host of `base`. */
  readonly servername?: string;
  readonly timeoutMs?: number;
}

/** What came back, whole. */
export interface WebResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * Sends a request on a connection of its own and reads the whole response.
 *
 * @throws Error when the connection fails, the certificate is not good, the response is cut short, or time is up
 */
export function webRequest(options: WebRequest): Promise<WebResponse> {
  const { base, path, ca } = options;
  const url = new URL(base);
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { ...options.headers };
    if (options.body !== undefined) headers['Content-Length'] = Buffer.byteLength(options.body);
    const request = (secure ? requestHttps : requestHttp)({
      // An IPv6 address has its brackets in a URL only.
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      method: options.method ?? 'GET',
      path,
      headers,
      agent: false,
      ...(secure && { ca: [...rootCertificates, ...(ca === undefined ? [] : [ca])], rejectUnauthorized: true }),
      ...(options.servername !== undefined && { servername: options.servername }),
    });
    const signal = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_LIMIT_MS);
    const expire = (): void => {
      request.destroy(new Error(`no complete response to ${options.method ?? 'GET'} ${path} in time`));
    };
    signal.addEventListener('abort', expire, { once: true });
    request.on('error', reject);
    request.on('close', () => signal.removeEventListener('abort', expire));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.end(options.body);
  });
}
