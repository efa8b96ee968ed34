/**
 * A raw TLS or plain client: sends exactly the bytes a test gives it and reads strictly what comes back. Certificates are
 * always verified against the CA that is passed in.
 */
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, TLSSocket } from 'node:tls';
import type { PeerCertificate, SecureVersion } from 'node:tls';
import { within } from './eventually.ts';
import { parseResponse } from './http-response.ts';
import type { RawResponse } from './http-response.ts';

/** Where and how to connect. */
export interface RawClientOptions {
  readonly port: number;
  readonly host?: string;
  /** PEM of the CA to trust; left out: plain TCP. */
  readonly ca?: string;
  /** SNI; null sends none. The certificate is checked against it, or against `verifyName`. */
  readonly servername?: string | null;
  /** Name the certificate must be valid for when it is not the SNI. */
  readonly verifyName?: string;
  readonly alpn?: readonly string[];
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
  readonly ciphers?: string;
  /** A TLS session to resume. */
  readonly session?: Buffer;
  /** Do not read until {@link RawClient.resume} is called. */
  readonly paused?: boolean;
}

/** How the other side's half of the connection ended. */
export type Ending = 'fin' | 'reset';

/** One connection. Create it with {@link connectRaw}; `destroy` it when done. */
export class RawClient {
  readonly socket: Socket;
  /** The TCP socket under TLS; the same as `socket` on a plain connection. */
  readonly tcp: Socket;
  #received: Buffer[] = [];
  #ending: Ending | null = null;
  #wake: (() => void)[] = [];
  /** Bytes received in all. */
  bytesReceived = 0;
  /** The last TLS session ticket seen. */
  session: Buffer | null = null;

  constructor(socket: Socket, tcp: Socket, paused: boolean) {
    this.socket = socket;
    this.tcp = tcp;
    socket.on('data', (chunk: Buffer) => {
      this.bytesReceived += chunk.length;
      this.#received.push(chunk);
      this.#notify();
    });
    if (paused) socket.pause();
    socket.on('session', (session: Buffer) => (this.session = session));
    socket.on('end', () => {
      this.#ended('fin');
    });
    socket.on('error', () => {
      this.#ended('reset');
    });
    tcp.on('error', () => {
      this.#ended('reset');
    });
    socket.on('close', () => {
      this.#ended('fin');
    });
  }

  /** The TLS socket; throws on a plain connection. */
  get tls(): TLSSocket {
    if (!(this.socket instanceof TLSSocket)) throw new Error('not a TLS connection');
    return this.socket;
  }

  /** How the server ended its half; null while it is open. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Sends bytes as they are; a string is taken as latin1. Resolves when they were handed to the system. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      // A refusal may close the connection while the test still sends: that is the server's right, and asserted elsewhere.
      this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data, () => {
        resolve();
      });
    });
  }

  /**
   * Reads one response.
   * @throws when the connection ends, or `timeoutMs` pass, before a whole head; ResponseViolation when it is not strict HTTP
   */
  async readResponse(options: { method?: string; timeoutMs?: number } = {}): Promise<RawResponse> {
    const { method = 'GET', timeoutMs = 10_000 } = options;
    const read = async (): Promise<RawResponse> => {
      for (;;) {
        const bytes = this.#joined();
        const parsed = parseResponse(bytes, method, this.#ending !== null);
        if (parsed !== null) {
          this.#received = [bytes.subarray(parsed.consumed)];
          return parsed.response;
        }
        if (this.#ending !== null) {
          throw new Error(
            `connection ended (${this.#ending}) after ${JSON.stringify(bytes.toString('latin1', 0, 200))}`,
          );
        }
        await this.#change();
      }
    };
    return within(read(), timeoutMs, `a response (so far ${JSON.stringify(this.peek().toString('latin1', 0, 200))})`);
  }

  /** Waits for the server's end and returns what was received and not read yet. */
  async readUntilClose(timeoutMs = 10_000): Promise<Buffer> {
    await this.closed(timeoutMs);
    return this.take();
  }

  /** Waits until the server ended its half of the connection. */
  async closed(timeoutMs = 10_000): Promise<Ending> {
    const wait = async (): Promise<Ending> => {
      for (;;) {
        if (this.#ending !== null) return this.#ending;
        await this.#change();
      }
    };
    return within(wait(), timeoutMs, 'the end of the connection');
  }

  /** Waits until at least `count` bytes are there that were not read, and returns all of them. */
  async readAtLeast(count: number, timeoutMs = 10_000): Promise<Buffer> {
    const wait = async (): Promise<Buffer> => {
      for (;;) {
        if (this.#joined().length >= count) return this.take();
        if (this.#ending !== null) throw new Error(`connection ended (${this.#ending})`);
        await this.#change();
      }
    };
    return within(wait(), timeoutMs, `${String(count)} bytes`);
  }

  /** What was received and not read yet; stays unread. */
  peek(): Buffer {
    return this.#joined();
  }

  /** What was received and not read yet; now read. */
  take(): Buffer {
    const bytes = this.#joined();
    this.#received = [];
    return bytes;
  }

  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }
  /** Ends our half (close_notify and FIN); the other half stays readable. */
  end(): void {
    this.socket.end();
  }
  /** Ends our half with a bare FIN: under TLS without close_notify. */
  endWithoutCloseNotify(): void {
    this.tcp.end();
  }
  /** Closes with a TCP reset. */
  reset(): void {
    this.tcp.resetAndDestroy();
    this.socket.destroy();
  }
  destroy(): void {
    this.socket.destroy();
    this.tcp.destroy();
  }

  #joined(): Buffer {
    const [first] = this.#received;
    if (this.#received.length === 1 && first !== undefined) return first;
    const bytes = Buffer.concat(this.#received);
    this.#received = [bytes];
    return bytes;
  }
  #ended(how: Ending): void {
    this.#ending ??= how;
    this.#notify();
  }
  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }
}

function checkAgainst(name: string): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (_host, certificate) => checkServerIdentity(name, certificate);
}

/**
 * Connects, and finishes the TLS handshake when a CA is given.
 * @throws Node's error when the connection or the handshake fails; an alert is in its `code`
 */
export async function connectRaw(options: RawClientOptions): Promise<RawClient> {
  const { port, host = '127.0.0.1', ca, servername = null, verifyName } = options;
  const tcp = connectTcp({ port, host, allowHalfOpen: true, noDelay: true });
  const paused = options.paused ?? false;
  const opened = new Promise<RawClient>((resolve, reject) => {
    tcp.once('error', reject);
    if (ca === undefined) {
      tcp.once('connect', () => {
        tcp.off('error', reject);
        resolve(new RawClient(tcp, tcp, paused));
      });
      return;
    }
    // The client must listen before the handshake is over: a session ticket or an alert may follow it at once.
    const client: { current: RawClient | null } = { current: null };
    tcp.once('connect', () => {
      const socket = connectTls({
        socket: tcp,
        ca,
        // allowHalfOpen is missing from the types of tls.connect, but documented and honoured.
        ...{ allowHalfOpen: true },
        ...(servername === null ? { servername: '' } : { servername }),
        ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
        ...(options.minVersion === undefined ? {} : { minVersion: options.minVersion }),
        ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
        ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
        ...(options.session === undefined ? {} : { session: options.session }),
        ...(verifyName === undefined ? {} : { checkServerIdentity: checkAgainst(verifyName) }),
      });
      client.current = new RawClient(socket, tcp, paused);
      socket.once('error', reject);
      socket.once('close', () => {
        reject(new Error('connection closed during the handshake'));
      });
      socket.once('secureConnect', () => {
        if (client.current !== null) resolve(client.current);
      });
    });
  });
  try {
    return await within(opened, 10_000, 'connecting');
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}
