/**
 * One HTTPS request to an authority, bounded in time and size. It follows no redirects, keeps no connections, and knows
 * nothing of ACME: whoever calls it reads the answer.
 */
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';

/** What is sent. */
export interface AcmeHttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** `https:` only. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** What came back. Field names are in lower case; of a repeated field all values are kept, joined by commas. */
export interface AcmeHttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How long one request may take in all, and how much of an answer is read. */
export interface AcmeHttpLimits {
  readonly requestMs: number;
  readonly responseBytes: number;
}

/** A certificate chain has some 8 kB; nothing else that an authority says is larger. */
export const DEFAULT_ACME_LIMITS: AcmeHttpLimits = { requestMs: 30_000, responseBytes: 256 * 1024 };

const MAX_URL = 2000;
const MAX_HEAD_BYTES = 32 * 1024;

/** The way to one authority, with what is trusted there. */
export class AcmeTransport {
  readonly #agent: Agent;
  readonly #limits: AcmeHttpLimits;

  /** @param caPem - trusted instead of the certificates that Node comes with; null: those */
  constructor(caPem: string | null, limits: AcmeHttpLimits) {
    // A connection that is kept can be closed by the other side just when it is used again, and an order must not fail of that.
    this.#agent = new Agent({ keepAlive: false, maxSockets: 16, ...(caPem !== null && { ca: caPem }) });
    this.#limits = limits;
  }

  /**
   * @throws PorticoError `ACME_UNREACHABLE` (name, network, TLS, time-out), `ACME_RESPONSE_INVALID` (too large, or no URL that
   * can be asked), `ACME_ABORTED`
   */
  async send(request: AcmeHttpRequest, signal: AbortSignal): Promise<AcmeHttpResponse> {
    const url = checkedUrl(request.url);
    if (signal.aborted) throw aborted(signal.reason);
    return new Promise((resolve, reject) => {
      const { requestMs, responseBytes } = this.#limits;
      const outgoing = httpsRequest(url, {
        method: request.method,
        headers: {
          ...request.headers,
          ...(request.body !== null && { 'content-length': Buffer.byteLength(request.body) }),
        },
        agent: this.#agent,
        maxHeaderSize: MAX_HEAD_BYTES,
      });
      const stop = (error: PorticoError): void => {
        finish();
        reject(error);
        outgoing.destroy();
      };
      const onAbort = (): void => stop(aborted(signal.reason));
      const deadline = setTimeout(
        () => stop(unreachable(url, `no complete answer within ${String(requestMs / 1000)} s`)),
        requestMs,
      );
      const finish = (): void => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      // Stays after the end: a socket may still fail when nobody waits for it any more.
      outgoing.on('error', (cause) => stop(unreachable(url, messageOf(cause), cause)));
      outgoing.on('response', (incoming) => {
        readBody(incoming, responseBytes, (problem, body) => {
          if (problem === 'too large') stop(invalid(url, `it is larger than ${String(responseBytes)} bytes`));
          else if (problem !== null) stop(unreachable(url, `the answer broke off: ${problem}`));
          else {
            finish();
            resolve({ status: incoming.statusCode ?? 0, headers: fieldsOf(incoming), body });
          }
        });
      });
      outgoing.end(request.body ?? undefined);
    });
  }

  /** Gives back what the connections hold. */
  close(): void {
    this.#agent.destroy();
  }
}

function readBody(
  incoming: IncomingMessage,
  limit: number,
  done: (problem: string | null, body: string) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) {
      incoming.destroy();
      done('too large', '');
      return;
    }
    chunks.push(chunk);
  });
  incoming.on('end', () => done(null, Buffer.concat(chunks).toString()));
  incoming.on('error', (error) => done(error.message, ''));
}

function fieldsOf(incoming: IncomingMessage): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) fields[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return fields;
}

function checkedUrl(text: string): URL {
  if (text.length <= MAX_URL && URL.canParse(text)) {
    const url = new URL(text);
    if (url.protocol === 'https:') return url;
  }
  throw new PorticoError(
    'ACME_RESPONSE_INVALID',
    `The certificate authority named an address that cannot be asked: ${JSON.stringify(text.slice(0, 200))}.`,
    { fix: 'Check acme.directory; the authority must give https: addresses.' },
  );
}

function aborted(reason: unknown): PorticoError {
  return new PorticoError('ACME_ABORTED', 'The certificate order was stopped.', { cause: reason });
}

/** Codes of Node and OpenSSL for a certificate that is not trusted, as opposed to a network that does not work. */
const NOT_TRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_|CRL_|INVALID_CA|PATH_LENGTH_)/;

function unreachable(url: URL, why: string, cause?: unknown): PorticoError {
  const fix = NOT_TRUSTED.test(codeOf(cause))
    ? "The authority's own certificate is not trusted here: set acme.ca_file to the root it was issued under, or correct acme.directory."
    : `Check that this machine resolves ${url.hostname} and may connect to it on port ${url.port === '' ? '443' : url.port}; Portico tries again.`;
  return new PorticoError('ACME_UNREACHABLE', `The certificate authority at ${url.host} cannot be reached: ${why}.`, {
    fix,
    cause,
  });
}

function invalid(url: URL, why: string): PorticoError {
  return new PorticoError(
    'ACME_RESPONSE_INVALID',
    `An answer of the certificate authority at ${url.host} is refused: ${why}.`,
    {
      fix: 'Check acme.directory; if it is right, the fault is with the authority.',
    },
  );
}
