/**
 * One listener: accepts, counts, and hands connections on. On TLS listeners the ClientHello is read first, on the bare TCP
 * socket: a name nobody answers for is refused with an alert before OpenSSL sees a byte, so neither scanners nor junk cost
 * a signature; only then does the TLS library take over (docs/decisions/0002).
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { isIpLiteral, plainAddress } from '../base/address.ts';
import { PorticoError, codeOf } from '../base/errors.ts';
import { tlsAlert } from '../tls/alert.ts';
import { createChallengeTls } from '../tls/challenge-server.ts';
import { ACME_TLS } from '../tls/challenge-responder.ts';
import { MAX_CLIENT_HELLO_BYTES, readClientHello, type ClientHello } from '../tls/client-hello.ts';
import { tlsServerOptions } from '../tls/options.ts';
import type { ConnectionContext } from './connection-context.ts';
import type { ClientConnection } from './client-connection.ts';
import { Http1Connection } from './http1/connection.ts';
import { Http2Connection } from './http2/connection.ts';
import type { PlaneState } from './plane-state.ts';
import type { ListenerData } from './snapshot.ts';

/** What a listener needs of the data plane. */
export interface ListenerHost {
  /** The state that new connections start with. */
  readonly state: PlaneState;
  /** A connection lives; the data plane checks its clock and drains it. */
  track(connection: ClientConnection): void;
  untrack(connection: ClientConnection): void;
}

/** A connection on its way through the handshake. */
interface Handshake {
  readonly socket: Socket;
  readonly address: string;
  /** See `peerKey`. */
  readonly key: string;
  readonly since: number;
  bytes: Buffer;
  /** The ClientHello has been handed to the TLS library; counts against the cap. */
  started: boolean;
  /** It has ended, one way or the other, and was accounted for. */
  over: boolean;
}

const PLAIN_HTTP_ANSWER =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 33\r\nConnection: close\r\n\r\n' +
  'This port speaks HTTPS, not HTTP\n';

const EMPTY = Buffer.alloc(0);

/** How long a refused client may take to read why (ms). */
const LAST_WORDS_MS = 2000;

const TLS_1_2 = 0x0303;
const TLS_1_3 = 0x0304;

/** One listening address. */
export class Listener {
  readonly #host: ListenerHost;
  readonly #server: Server;
  #data: ListenerData;
  #tls: TlsServer | null = null;
  /** Shakes hands with ACME validators, and with nobody else; made for the first. */
  #challengeTls: TlsServer | null = null;
  readonly #handshakes = new Map<string, Handshake>();
  #started = 0;

  constructor(data: ListenerData, host: ListenerHost) {
    this.#data = data;
    this.#host = host;
    // Without noDelay the first answer after a handshake waits 40 ms for the ACK of the session tickets.
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#onConnection(socket);
    });
  }

  get data(): ListenerData {
    return this.#data;
  }

  /**
   * Starts listening.
   * @throws PorticoError `LISTEN_ADDRESS_IN_USE`, `LISTEN_NOT_PERMITTED`, `LISTEN_FAILED`
   */
  async listen(): Promise<void> {
    const { host, port } = this.#data;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => {
        reject(listenError(error, host ?? 'all addresses', port));
      };
      this.#server.once('error', onError);
      this.#server.listen({ port, ...(host === undefined ? {} : { host }), backlog: 1024 }, () => {
        this.#server.removeListener('error', onError);
        // Accept errors (EMFILE) are reported and survived: connections that exist go on.
        this.#server.on('error', (error) => {
          this.#host.state.plane.defect(error);
        });
        resolve();
      });
    });
  }

  /** Where it really listens. */
  address(): { host: string; port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return { host: this.#data.host ?? '', port: this.#data.port };
    return { host: address.address, port: address.port };
  }

  /** Takes what is done here, the certificate for clients without SNI and the ticket key from the current state. */
  update(data: ListenerData): void {
    const { snapshot, index } = this.#host.state;
    this.#data = data;
    if (data.role === 'http') return;
    this.#tls ??= this.#createTls();
    const certificate = index.default;
    this.#tls.setSecureContext({
      ...tlsServerOptions(snapshot.minTlsVersion, snapshot.ticketKey),
      ...(certificate === null ? {} : { cert: certificate.chain, key: certificate.key }),
    });
  }

  /** Accepts no more; connections go on. */
  close(): void {
    this.#server.close();
    for (const handshake of this.#handshakes.values()) handshake.socket.destroy();
  }

  /** Looks at the clock; called a few times a second. */
  check(now: number): void {
    const { handshakeMs } = this.#host.state.snapshot.limits;
    for (const handshake of this.#handshakes.values()) {
      if (now - handshake.since > handshakeMs) this.#refuse(handshake, 'HANDSHAKE_TIMEOUT');
      else break; // Oldest first: a Map keeps the order in which entries were made.
    }
  }

  #createTls(): TlsServer {
    const { snapshot } = this.#host.state;
    const server = createTlsServer({
      ...tlsServerOptions(snapshot.minTlsVersion, snapshot.ticketKey),
      // Undefined: the client wants nothing that is spoken here, and gets no_application_protocol (RFC 7301 §3.2).
      ALPNCallback: ({ protocols }) => {
        if (this.#data.http2 && protocols.includes('h2')) return 'h2';
        return protocols.includes('http/1.1') ? 'http/1.1' : undefined;
      },
      SNICallback: (name, done) => {
        // Names that nobody answers for were refused before; an IP literal, forbidden here but sent by some, gets the default.
        try {
          const { index, contexts, snapshot: current } = this.#host.state;
          const wanted = name.toLowerCase().replace(/\.$/, '');
          // A second hello (after a HelloRetryRequest) may ask for another name than the one that was let through.
          const certificate = isIpLiteral(wanted) ? index.default : index.forServername(wanted);
          if (certificate === null) done(new Error('no certificate'));
          else done(null, contexts.get(certificate, current.minTlsVersion));
        } catch (error) {
          this.#host.state.plane.defect(error);
          done(new Error('no context'));
        }
      },
    });
    server.on('secureConnection', (socket) => {
      this.#onSecure(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      this.#onHandshakeFailed(error, socket);
    });
    return server;
  }

  #createChallengeTls(): TlsServer {
    const server = createChallengeTls(
      (servername) => this.#host.state.challenges?.tlsAlpn01(servername) ?? null,
      (error) => {
        this.#host.state.plane.defect(error);
      },
    );
    server.on('secureConnection', (socket) => {
      const handshake = this.#startedHandshake(socket);
      if (handshake !== null) {
        this.#settle(handshake, null);
        this.#host.state.metrics.handshakeFinished(socket.getProtocol() ?? 'unknown', false);
      }
      socket.on('error', () => undefined);
      // The handshake is all a validator came for (RFC 8737 §3).
      closeSoon(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      this.#onHandshakeFailed(error, socket);
    });
    return server;
  }

  #onHandshakeFailed(error: Error, socket: TLSSocket): void {
    const handshake = this.#startedHandshake(socket);
    if (handshake !== null) this.#settle(handshake, codeOf(error));
    socket.destroy();
  }

  /** The handshake of a socket that the TLS library has; null when the entry is that of a later connection from the same port. */
  #startedHandshake(socket: TLSSocket): Handshake | null {
    const handshake = this.#handshakes.get(peerKey(socket));
    return handshake?.started === true ? handshake : null;
  }

  #onConnection(socket: Socket): void {
    const { state } = this.#host;
    const address = socket.remoteAddress === undefined ? null : plainAddress(socket.remoteAddress);
    // The peer may be gone before it was accepted.
    if (address === null) {
      socket.destroy();
      return;
    }
    socket.on('error', () => undefined);
    if (!state.admit(address)) {
      socket.resetAndDestroy();
      return;
    }
    state.metrics.connectionOpened(this.#data.role);
    socket.once('close', () => {
      state.leave(address);
      state.metrics.connectionClosed(this.#data.role);
    });
    if (this.#data.role === 'http') this.#serve(socket, address, null, null, null);
    else this.#awaitHello(socket, address);
  }

  #awaitHello(socket: Socket, address: string): void {
    const key = peerKey(socket);
    const handshake: Handshake = {
      socket,
      address,
      key,
      since: this.#host.state.plane.clock.monotonic(),
      bytes: EMPTY,
      started: false,
      over: false,
    };
    // A client may reset and come again from the same port before we have heard of the first connection's end.
    const former = this.#handshakes.get(key);
    if (former !== undefined) this.#settle(former, 'CLIENT_GONE');
    this.#handshakes.set(key, handshake);
    this.#host.state.metrics.handshakeStarted();
    socket.once('close', () => {
      this.#settle(handshake, 'CLIENT_GONE');
    });
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      handshake.bytes = handshake.bytes.length === 0 ? chunk : Buffer.concat([handshake.bytes, chunk]);
      const hello = readClientHello(handshake.bytes);
      if (hello === 'incomplete' && handshake.bytes.length <= MAX_CLIENT_HELLO_BYTES) return;
      socket.removeListener('readable', onReadable);
      if (hello === 'http') {
        this.#refuse(handshake, 'PLAIN_HTTP', Buffer.from(PLAIN_HTTP_ANSWER));
      } else if (typeof hello === 'string') {
        this.#refuse(
          handshake,
          hello === 'not-tls' ? 'NOT_TLS' : 'HELLO_MALFORMED',
          hello === 'not-tls' ? undefined : tlsAlert('decode_error'),
        );
      } else if (hello.newestVersion < (this.#host.state.snapshot.minTlsVersion === 'TLSv1.3' ? TLS_1_3 : TLS_1_2)) {
        this.#refuse(handshake, 'TLS_VERSION', tlsAlert('protocol_version'));
      } else if (this.#isForChallenge(hello)) {
        this.#challengeTls ??= this.#createChallengeTls();
        this.#startHandshake(handshake, this.#challengeTls);
      } else if (hello.servernameProblem !== null || !this.#answersFor(hello.servername)) {
        this.#refuse(handshake, 'SNI_UNKNOWN', tlsAlert('unrecognized_name'));
      } else {
        this.#startHandshake(handshake, this.#tls);
      }
    };
    socket.on('readable', onReadable);
  }

  #answersFor(servername: string | null): boolean {
    const { index } = this.#host.state;
    return servername === null ? index.default !== null : index.forServername(servername) !== null;
  }

  /** RFC 8737 §3: a validator offers `acme-tls/1` and nothing else. The name needs no certificate of its own yet. */
  #isForChallenge({ alpn, servername }: ClientHello): boolean {
    if (alpn.length !== 1 || alpn[0] !== ACME_TLS || servername === null) return false;
    return (this.#host.state.challenges?.tlsAlpn01(servername) ?? null) !== null;
  }

  #startHandshake(handshake: Handshake, tls: TlsServer | null): void {
    const { state } = this.#host;
    if (handshake.over) return;
    if (!state.handshakesPerAddress.enter(handshake.address)) {
      this.#refuse(handshake, 'HANDSHAKES_PER_ADDRESS');
      return;
    }
    if (this.#started >= state.snapshot.limits.maxHandshakes) {
      state.handshakesPerAddress.leave(handshake.address);
      this.#refuse(handshake, 'HANDSHAKES');
      return;
    }
    handshake.started = true;
    this.#started++;
    handshake.socket.unshift(handshake.bytes);
    handshake.bytes = EMPTY;
    tls?.emit('connection', handshake.socket);
  }

  /**
   * Accounts for a handshake that has ended, once.
   * @param failure - why it failed; null when it succeeded
   */
  #settle(handshake: Handshake, failure: string | null): void {
    if (handshake.over) return;
    handshake.over = true;
    if (this.#handshakes.get(handshake.key) === handshake) this.#handshakes.delete(handshake.key);
    if (failure !== null) this.#host.state.metrics.handshakeFailed(failure);
    if (handshake.started) {
      this.#started--;
      this.#host.state.handshakesPerAddress.leave(handshake.address);
    }
  }

  #refuse(handshake: Handshake, reason: string, lastWords?: Buffer): void {
    const { socket } = handshake;
    this.#settle(handshake, reason);
    if (lastWords === undefined) {
      socket.destroy();
      return;
    }
    closeSoon(socket, lastWords);
  }

  #onSecure(socket: TLSSocket): void {
    const { state } = this.#host;
    const handshake = this.#startedHandshake(socket);
    // Its TCP socket was closed or timed out in the same turn.
    if (handshake === null) {
      socket.destroy();
      return;
    }
    this.#settle(handshake, null);
    const tls = socket.getProtocol() ?? 'unknown';
    state.metrics.handshakeFinished(tls, socket.isSessionReused());
    const name = typeof socket.servername === 'string' ? socket.servername.toLowerCase().replace(/\.$/, '') : null;
    const certificate = name === null ? null : state.index.forServername(name);
    this.#serve(socket, handshake.address, tls, certificate === null ? null : name, certificate?.names ?? null);
  }

  #serve(
    socket: Socket,
    address: string,
    tls: string | null,
    servername: string | null,
    names: readonly string[] | null,
  ): void {
    const { state } = this.#host;
    const context: ConnectionContext = {
      plane: state.plane,
      tls,
      forwarding: state.forwarding(address),
      facts: {
        role: this.#data.role,
        only: this.#data.only,
        servername,
        certificateNames: names ?? (tls === null ? [] : (state.index.default?.names ?? [])),
        peer: address,
        localPort: socket.localPort ?? this.#data.port,
      },
    };
    const onClosed = (ended: ClientConnection): void => {
      this.#host.untrack(ended);
    };
    const isHttp2 = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2';
    const connection = isHttp2
      ? new Http2Connection(socket, context, onClosed)
      : new Http1Connection(socket, context, onClosed);
    this.#host.track(connection);
  }
}

/** Ends a connection with what is left to say, and whatever the client does. */
function closeSoon(socket: Socket, lastWords?: Buffer): void {
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  // Bounded in all, not by silence: whoever drips bytes at a refusal is cut off, too.
  const timer = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.resume();
}

/** Names a client's connection while its socket is wrapped by the TLS library. */
function peerKey(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${String(socket.remotePort)}`;
}

function listenError(error: Error, host: string, port: number): PorticoError {
  const where = `port ${String(port)} on ${host}`;
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new PorticoError('LISTEN_ADDRESS_IN_USE', `Another program already listens on ${where}.`, {
        cause: error,
        fix: `Find it with "ss -ltnp 'sport = :${String(port)}'" and stop it, or give Portico another address under "listeners".`,
      });
    case 'EACCES':
    case 'EPERM':
      return new PorticoError('LISTEN_NOT_PERMITTED', `This user may not listen on ${where}.`, {
        cause: error,
        fix: 'Give the service CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or lower net.ipv4.ip_unprivileged_port_start, or choose ports from 1024 up.',
      });
    default:
      return new PorticoError('LISTEN_FAILED', `Cannot listen on ${where}: ${error.message}`, {
        cause: error,
        fix: 'Check that the address belongs to this machine ("ip addr").',
      });
  }
}
