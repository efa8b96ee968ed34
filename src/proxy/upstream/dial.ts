/** Opens connections to an upstream: TCP (both address families tried), TLS with verification, or a unix socket. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';
import type { UpstreamData } from '../snapshot.ts';
import { UpstreamConnection, type UpstreamMeans } from './connection.ts';

/** What dialling an upstream needs, built once per upstream. */
export interface Dialler {
  /**
   * @param onReady - called once, with the connection
   * @param onFailure - called once instead, with the reason (its `code` is Node's, or `UPSTREAM_CONNECT_TIMEOUT`)
   * @param onRelease - see `UpstreamConnection`
   * @returns a function that gives the attempt up without a callback
   */
  dial(
    onReady: (connection: UpstreamConnection) => void,
    onFailure: (error: Error) => void,
    onRelease: (connection: UpstreamConnection, reusable: boolean) => void,
  ): () => void;
}

/** How node hands reads to a callback, without a stream in between. */
interface OnRead {
  buffer: () => Buffer;
  callback: (length: number, buffer: Uint8Array) => boolean;
}

/** `onread` is documented for `tls.connect` but missing in its typings. */
function tlsOptions(
  upstream: UpstreamData,
  secureContext: SecureContext,
  onread: OnRead,
): ConnectionOptions & { onread: OnRead } {
  return {
    host: upstream.host,
    port: upstream.port,
    // RFC 6066 §3: no IP literals in SNI.
    ...(isIP(upstream.host) === 0 ? { servername: upstream.host } : {}),
    secureContext,
    ALPNProtocols: ['http/1.1'],
    onread,
  };
}

/** @param connectMs - bound on the whole attempt, all addresses and the TLS handshake included */
export function createDialler(upstream: UpstreamData, means: UpstreamMeans, connectMs: number): Dialler {
  // One context per upstream: contexts made per connection live until garbage collection finds them.
  const secureContext: SecureContext | null =
    upstream.transport === 'tls' ? createSecureContext(upstream.ca === null ? {} : { ca: upstream.ca }) : null;

  return {
    dial(onReady, onFailure, onRelease) {
      let connection: UpstreamConnection | null = null;
      let settled = false;
      const onread: OnRead = {
        buffer: () => connection?.nextBuffer() ?? means.buffers.shared,
        callback: (length: number, buffer: Uint8Array) => {
          connection?.onRead(buffer as Buffer, length);
          return true;
        },
      };
      const readyEvent = secureContext === null ? 'connect' : 'secureConnect';
      const socket: Socket =
        secureContext !== null
          ? connectTls(tlsOptions(upstream, secureContext, onread))
          : upstream.transport === 'unix'
            ? connectTcp({ path: upstream.socketPath, onread })
            : connectTcp({ host: upstream.host, port: upstream.port, noDelay: true, onread });

      const settle = (): boolean => {
        if (settled) return false;
        settled = true;
        clearTimeout(timer);
        socket.removeListener('error', onError);
        return true;
      };
      const onError = (error: Error): void => {
        if (settle()) {
          socket.on('error', () => undefined);
          socket.destroy();
          onFailure(error);
        }
      };
      const timer = setTimeout(() => {
        onError(
          Object.assign(new Error(`no connection within ${String(connectMs)} ms`), {
            code: 'UPSTREAM_CONNECT_TIMEOUT',
          }),
        );
      }, connectMs);
      socket.on('error', onError);
      socket.once('close', () => {
        onError(Object.assign(new Error('closed while connecting'), { code: 'ECONNRESET' }));
      });
      socket.once(readyEvent, () => {
        if (!settle()) return;
        if (secureContext !== null) socket.setNoDelay(true);
        connection = new UpstreamConnection(socket, means, onRelease);
        onReady(connection);
      });
      return () => {
        if (!settle()) return;
        socket.on('error', () => undefined);
        socket.destroy();
      };
    },
  };
}
