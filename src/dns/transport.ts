/**
 * One message to one server and what comes back, over UDP and over TCP (RFC 7766). Each request has a socket of its own, so
 * that its port is as hard to guess as its id, and is connected, so that the kernel drops what others send.
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { DnsServer } from './server-address.ts';

/** No answer within the time given. */
export class NoAnswerInTime extends Error {
  override readonly name = 'NoAnswerInTime';
}

/** What came is no answer: garbage, too much of it, or a connection closed half-way. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** Bounds of one exchange. */
export interface ExchangeLimits {
  readonly timeoutMs: number;
  /** Largest message taken. */
  readonly maxOctets: number;
  readonly signal: AbortSignal | undefined;
}

/** More than these are not chance, and not worth listening to. */
const MAX_STRAYS = 64;

/**
 * Sends over UDP and listens until `judge` takes a message.
 * @param judge - hands back the result, or undefined for a message that is not the answer; what it throws ends the exchange
 * @throws NoAnswerInTime, BadAnswer, what `judge` throws, the reason of the signal, or Node's error when the server cannot be
 * reached
 */
export function exchangeUdp<T>(
  server: DnsServer,
  message: Buffer,
  limits: ExchangeLimits,
  judge: (message: Buffer) => T | undefined,
): Promise<T> {
  return bounded(limits, (done, fail) => {
    let strays = 0;
    const socket = createSocket({ type: isIPv6(server.address) ? 'udp6' : 'udp4' });
    socket.on('error', fail);
    socket.on('message', (received) => {
      if (received.length > limits.maxOctets) {
        fail(new BadAnswer(`the answer has ${String(received.length)} octets`));
        return;
      }
      const result = attempt(() => judge(received), fail);
      if (result !== undefined) done(result);
      else if (++strays > MAX_STRAYS) fail(new BadAnswer('nothing that came belongs to the question'));
    });
    socket.on('connect', () => {
      // Throws when the exchange ended in the meantime.
      attempt(() => {
        socket.send(message, (error) => {
          if (error) fail(error);
        });
      }, fail);
    });
    socket.connect(server.port, server.address);
    return {
      close: () => socket.close(),
      late: () =>
        strays > 0
          ? new BadAnswer('what came does not belong to the question')
          : new NoAnswerInTime(`no answer within ${String(limits.timeoutMs)} ms`),
    };
  });
}

/**
 * Sends over TCP and reads one message.
 * @throws NoAnswerInTime, BadAnswer, the reason of the signal, or Node's error when the server cannot be reached
 */
export function exchangeTcp(server: DnsServer, message: Buffer, limits: ExchangeLimits): Promise<Buffer> {
  return bounded(limits, (done, fail) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host: server.address, port: server.port, noDelay: true });
    socket.on('error', fail);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (length > limits.maxOctets) fail(new BadAnswer(`the answer has ${String(length)} octets`));
      else if (received.length >= length + 2) done(received.subarray(2, length + 2));
    });
    socket.on('close', () => {
      fail(new BadAnswer('the connection was closed before the answer was complete'));
    });
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      // In one piece: some servers do not wait for the rest of a message (RFC 7766 §8).
      socket.write(Buffer.concat([length, message]));
    });
    return {
      close: () => socket.destroy(),
      late: () => new NoAnswerInTime(`no answer over TCP within ${String(limits.timeoutMs)} ms`),
    };
  });
}

/** What an exchange needs to be ended from outside. */
interface Handle {
  close(): void;
  /** What to say when time is up. */
  late(): Error;
}

/** Ends once, in whatever way comes first, and leaves no socket, timer or listener behind. */
function bounded<T>(
  { timeoutMs, signal }: ExchangeLimits,
  start: (done: (result: T) => void, fail: (error: Error) => void) => Handle,
): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let ended = false;
    const end = (settle: () => void): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      handle.close();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const onAbort = (): void => {
      const reason: unknown = signal?.reason;
      fail(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
    };
    const handle = start((result) => end(() => resolve(result)), fail);
    const timer = setTimeout(() => fail(handle.late()), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function attempt<T>(action: () => T, fail: (error: Error) => void): T | undefined {
  try {
    return action();
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)));
    return undefined;
  }
}
