/**
 * One exchange: a request and its response, from the first byte in to the last byte out. It asks the router, answers or
 * relays, keeps both sides' pace, watches the clock, and accounts for the outcome. It knows neither HTTP/1 nor HTTP/2 in
 * front (front.ts is the seam).
 *
 * Two rules rule here. Truncation never looks complete: a client that leaves breaks the upstream connection, an upstream
 * that leaves breaks the response. And a request is sent a second time only when nobody can have acted on the first.
 */
import type { Outcome } from '../observability/access-entry.ts';
import type { ClassLimits } from '../policy/class-limits.ts';
import type { Refusal } from '../policy/decision.ts';
import { REFUSALS, type RefusalCode } from '../policy/refusals.ts';
import { answerFor } from './answers.ts';
import type { ConnectionContext } from './connection-context.ts';
import { ExchangeRecord } from './exchange-record.ts';
import { FieldId, FieldList } from './fields.ts';
import type { Front, RequestHead, ResponseHead } from './front.ts';
import { localResponse } from './local-response.ts';
import { CONTINUE_AFTER_MS, responseHeadPatience, sendsTooSlowly, takesTooSlowly, TUNNEL_IDLE_MS } from './patience.ts';
import type { LocalAnswer, RelayRoute, Route } from './route.ts';
import type { UpstreamConnection, UpstreamHandler } from './upstream/connection.ts';
import type { UpstreamPool, Waiter } from './upstream/pool.ts';
import { upstreamRequestHead } from './upstream/request-head.ts';
import { RequestWriter } from './upstream/request-writer.ts';

const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** A request that a client may send again is one that a proxy may: RFC 9110 §9.2.2, and no body was streamed away. */
function isRepeatable(head: RequestHead): boolean {
  if (head.bodyLength !== 0) return false;
  return REPEATABLE.has(head.method);
}

/** One exchange. */
export class Exchange implements UpstreamHandler, Waiter {
  readonly #front: Front;
  readonly #context: ConnectionContext;
  readonly #head: RequestHead;
  readonly #record: ExchangeRecord;
  readonly #writer: RequestWriter;
  #route: Route | null = null;
  #pool: UpstreamPool | null = null;
  #upstream: UpstreamConnection | null = null;
  #giveUpDial: (() => void) | null = null;
  #retried = false;
  #requestComplete = false;
  #requestPaused = false;
  #continueSent = false;
  #responseStarted = false;
  #tunnel = false;
  #finished = false;
  /** Monotonic ms: since when a connection is waited for and the client listened to, and of the last progress of each kind. */
  #waitingAt = 0;
  #listeningAt = 0;
  #sentAt = 0;
  #requestDataAt: number;
  #responseDataAt = 0;
  /** Since when the client takes nothing; 0 while it does. */
  #blockedAt = 0;
  /** Since when the upstream takes nothing; 0 while it does. */
  #upstreamBlockedAt = 0;
  #pausedMs = 0;
  #responseHeadMs = 0;

  constructor(front: Front, context: ConnectionContext, head: RequestHead) {
    this.#front = front;
    this.#context = context;
    this.#head = head;
    this.#record = new ExchangeRecord(context);
    this.#writer = new RequestWriter(head.bodyLength === -1);
    this.#requestDataAt = this.#record.startedAt;
  }

  /** Routes the request; called once, before any other call. */
  start(): void {
    const { plane, forwarding } = this.#context;
    const head = this.#head;
    let { facts } = this.#context;
    if (forwarding.trusted) {
      this.#record.peer = forwarding.clientAddress(head.fields.all(FieldId.xForwardedFor));
      facts = { ...facts, peer: this.#record.peer };
    }
    this.#requestComplete = head.bodyLength === 0;
    const route = plane.router.route(
      { method: head.method, target: head.target, authority: head.authority, hasBody: head.bodyLength !== 0 },
      facts,
      head.fields.first(FieldId.ifNoneMatch),
    );
    this.#route = route;
    if (!this.#record.enterAddress()) this.#refuse(REFUSALS.REQUESTS_PER_ADDRESS);
    else if (route.kind === 'answer') this.#answer(route.answer);
    else if (route.kind === 'refuse') this.#refuse(route.refusal);
    else if (head.bodyLength > route.limits.maxBodyBytes) this.#refuse(REFUSALS.BODY_TOO_LARGE);
    else if (!this.#record.enterClass(route)) this.#refuse(REFUSALS.CLASS_CONCURRENCY);
    else this.#relay(route);
  }

  /** Refuses a request whose head breaks a limit; called instead of `start`. */
  startRefused(code: RefusalCode): void {
    this.#requestComplete = this.#head.bodyLength === 0;
    this.#refuse(REFUSALS[code]);
  }

  /** A piece of the request body. The bytes belong to the exchange now. */
  requestData(chunk: Buffer): void {
    this.#record.bytesIn += chunk.length;
    this.#requestDataAt = this.#context.plane.clock.monotonic();
    if (this.#finished) return;
    if (this.#tunnel) {
      if (this.#upstream?.write(chunk) === false) this.#pauseRequest();
      return;
    }
    const route = this.#route;
    if (route?.kind === 'relay' && this.#record.bytesIn > route.limits.maxBodyBytes) {
      this.#fail('BODY_TOO_LARGE');
      return;
    }
    this.#continueSent = true;
    if (!this.#writer.write(chunk)) this.#holdRequest();
  }

  /** The request body is complete. */
  requestEnd(): void {
    this.#requestComplete = true;
    if (this.#finished) return;
    this.#writer.end();
    this.#sentAt = this.#context.plane.clock.monotonic();
  }

  /** All of one read from the client was delivered: what is gathered can leave. */
  requestFlush(): void {
    if (!this.#writer.flush()) this.#holdRequest();
  }

  /** The client broke the framing of its request body. */
  requestBroken(): void {
    this.#fail('BAD_BODY');
  }

  /**
   * A mistake of ours was met on the way; the log has it.
   * @returns false when the exchange was over already
   */
  defect(): boolean {
    if (this.#finished) return false;
    this.#fail('INTERNAL');
    return true;
  }

  /** The client has gone; whatever it wanted is not wanted any more. */
  clientGone(): void {
    if (this.#finished) return;
    if (!this.#tunnel && this.#responseStarted) this.#context.plane.metrics.truncated('client');
    else if (!this.#requestComplete) this.#context.plane.metrics.truncated('client');
    this.#dropUpstream();
    this.#finish(this.#tunnel ? 'tunnel' : 'client_gone');
  }

  /** The client of a tunnel has ended; what it sent before still goes out. */
  clientEnded(): void {
    if (this.#finished) return;
    this.#upstream?.endTunnel();
    this.#upstream = null;
    this.#finish('tunnel');
  }

  /** The client takes data again. */
  onClientDrain(): void {
    this.#blockedAt = 0;
    this.#upstream?.resume();
    this.#responseDataAt = this.#context.plane.clock.monotonic();
  }

  /** Looks at the clock; called a few times a second. */
  check(now: number): void {
    if (this.#finished) return;
    if (this.#tunnel) {
      if (now - Math.max(this.#requestDataAt, this.#responseDataAt) > TUNNEL_IDLE_MS)
        this.#breakOff('TUNNEL_IDLE', 'timed_out');
      return;
    }
    const route = this.#route;
    if (route?.kind !== 'relay') return;
    if (this.#responseStarted) this.#checkResponse(now, route.limits);
    else if (this.#upstream === null) this.#checkQueue(now);
    else if (this.#upstreamBlockedAt !== 0) this.#checkUpstreamPace(now, route.limits);
    else if (this.#requestComplete) this.#checkResponseHead(now);
    else this.#checkRequest(now, route.limits);
  }

  // From the pool

  onConnection(connection: UpstreamConnection): void {
    this.#giveUpDial = null;
    if (this.#finished) {
      connection.destroy();
      return;
    }
    this.#attach(connection);
    this.requestFlush();
    if (this.#requestPaused && this.#upstreamBlockedAt === 0) this.#resumeRequest();
  }

  onConnectFailure(error: Error): void {
    this.#giveUpDial = null;
    if (this.#route?.kind === 'relay') this.#context.plane.upstreamProblem(this.#route.upstream.id, error);
    this.#fail(
      'code' in error && error.code === 'UPSTREAM_CONNECT_TIMEOUT' ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_UNREACHABLE',
    );
  }

  // From the upstream connection

  onInformational(status: number, fields: FieldList): void {
    if (status === 100) {
      if (!this.#head.expectsContinue || this.#continueSent) return;
      this.#continueSent = true;
    }
    if (this.#front.protocol !== 'HTTP/1.0') this.#front.sendInformational(status, fields);
  }

  onResponseHead(head: ResponseHead): void {
    const now = this.#context.plane.clock.monotonic();
    this.#record.upstreamMs = now - this.#sentAt;
    this.#responseDataAt = now;
    this.#responseStarted = true;
    this.#record.status = head.status;
    if (head.status === 101) {
      this.#tunnel = true;
      this.#front.switchToTunnel(head);
      if (this.#requestPaused) this.#resumeRequest();
      return;
    }
    // An answer before the end of the request is delivered; a refused upgrade may have tunnel bytes behind it. Neither
    // connection has a known position afterwards.
    this.#front.sendHead(head, !this.#requestComplete || this.#head.websocket);
  }

  onResponseData(chunk: Buffer, borrowed: boolean): void {
    if (this.#finished) return;
    this.#record.bytesOut += chunk.length;
    this.#responseDataAt = this.#context.plane.clock.monotonic();
    if (!this.#front.sendBody(chunk, borrowed)) {
      this.#blockedAt = this.#responseDataAt;
      this.#upstream?.pause();
    }
  }

  onResponseEnd(): void {
    this.#upstream = null;
    if (this.#finished) return;
    this.#finish(this.#tunnel ? 'tunnel' : 'complete');
    this.#front.sendEnd();
  }

  onReadEnd(): void {
    this.#front.flush();
  }

  onUpstreamFailure(code: 'UPSTREAM_INVALID' | 'UPSTREAM_CLOSED', silent: boolean): void {
    const failed = this.#upstream;
    this.#upstream = null;
    if (this.#finished) return;
    if (this.#responseStarted) {
      if (!this.#tunnel) this.#context.plane.metrics.truncated('upstream');
      this.#record.errorCode = this.#tunnel ? null : code;
      this.#finish(this.#tunnel ? 'tunnel' : 'upstream_gone');
      this.#front.abort();
    } else if (
      silent &&
      code === 'UPSTREAM_CLOSED' &&
      !this.#retried &&
      failed !== null &&
      failed.requests > 1 &&
      isRepeatable(this.#head)
    ) {
      // The idle connection was closed under our request, so the homeserver has not acted on it.
      this.#retried = true;
      this.#context.plane.metrics.upstreamRetried();
      this.#waitingAt = this.#context.plane.clock.monotonic();
      this.#writer.reset();
      this.#writer.end();
      this.#giveUpDial = this.#pool?.waitForFresh(this) ?? null;
    } else {
      this.#fail(code === 'UPSTREAM_INVALID' ? 'UPSTREAM_INVALID' : 'UPSTREAM_UNREACHABLE');
    }
  }

  onUpstreamDrain(): void {
    this.#upstreamBlockedAt = 0;
    if (this.#requestComplete) this.#sentAt = this.#context.plane.clock.monotonic();
    if (this.#requestPaused) this.#resumeRequest();
  }

  // Inside

  #relay(route: RelayRoute): void {
    const { plane } = this.#context;
    this.#responseHeadMs = responseHeadPatience(route, this.#head.target, plane.limits);
    if (this.#requestComplete) this.#writer.end();
    const pool = plane.pool(route.upstream);
    this.#pool = pool;
    const connection = pool.take();
    // Body bytes of the same read follow at once and join the head, so nothing is flushed here.
    this.#waitingAt = this.#record.startedAt;
    if (connection !== null) this.#attach(connection);
    else pool.wait(this);
  }

  /** Starts the request on a connection; the head waits for the first body bytes or the next flush. */
  #attach(connection: UpstreamConnection): void {
    const { facts, forwarding } = this.#context;
    this.#upstream = connection;
    connection.start(this, this.#head.method, this.#head.websocket);
    this.#sentAt = this.#context.plane.clock.monotonic();
    // The client is not to blame for the time in which there was nobody to listen to it.
    this.#listeningAt = this.#sentAt;
    this.#requestDataAt = this.#sentAt;
    this.#pausedMs = this.#requestPaused ? -this.#sentAt : 0;
    const head = upstreamRequestHead(this.#head, {
      forwardedFor: forwarding.forwardedFor(this.#head.fields.all(FieldId.xForwardedFor)),
      clientAddress: this.#record.peer,
      proto: facts.role === 'http' ? 'http' : 'https',
      requestId: this.#record.requestId,
    });
    if (!this.#writer.connect(connection, head)) this.#holdRequest();
  }

  /** The upstream takes no more for now, or there is none yet. */
  #holdRequest(): void {
    if (this.#upstream !== null) this.#upstreamBlockedAt = this.#context.plane.clock.monotonic();
    this.#pauseRequest();
  }

  #pauseRequest(): void {
    if (this.#requestPaused || (this.#requestComplete && !this.#tunnel)) return;
    this.#requestPaused = true;
    this.#pausedMs -= this.#context.plane.clock.monotonic();
    this.#front.pauseRequest();
  }

  #resumeRequest(): void {
    const now = this.#context.plane.clock.monotonic();
    this.#requestPaused = false;
    this.#pausedMs += now;
    this.#requestDataAt = now;
    this.#front.resumeRequest();
  }

  #checkQueue(now: number): void {
    if (now - this.#waitingAt > this.#context.plane.limits.queueMs) this.#fail('UPSTREAM_BUSY');
  }

  #checkUpstreamPace(now: number, limits: ClassLimits): void {
    if (now - this.#upstreamBlockedAt > limits.responseIdleMs) this.#fail('UPSTREAM_TIMEOUT');
  }

  #checkResponseHead(now: number): void {
    if (now - this.#sentAt > this.#responseHeadMs) this.#fail('UPSTREAM_TIMEOUT');
  }

  #checkRequest(now: number, limits: ClassLimits): void {
    if (this.#head.expectsContinue && !this.#continueSent && now - this.#sentAt > CONTINUE_AFTER_MS) {
      this.#continueSent = true;
      this.#front.sendInformational(100, new FieldList());
      this.#requestDataAt = now;
    }
    const elapsedMs = now - this.#listeningAt - this.#pausedMs;
    const tooSlow = sendsTooSlowly(this.#record.bytesIn, elapsedMs, limits.minRequestRate);
    if (tooSlow || now - this.#requestDataAt > limits.requestIdleMs) this.#fail('REQUEST_TIMEOUT');
  }

  #checkResponse(now: number, limits: ClassLimits): void {
    if (this.#blockedAt === 0) {
      if (now - this.#responseDataAt > limits.responseIdleMs) this.#breakOff('UPSTREAM_TIMEOUT', 'timed_out');
    } else if (takesTooSlowly(this.#front.pendingBytes(), now - this.#blockedAt, limits.minResponseRate)) {
      this.#breakOff('RESPONSE_TOO_SLOW', 'timed_out');
    }
  }

  /** Breaks off an exchange whose response has started. */
  #breakOff(code: string, outcome: Outcome): void {
    this.#dropUpstream();
    this.#record.errorCode = code;
    this.#context.plane.metrics.limitHit(code);
    this.#finish(outcome);
    this.#front.abort();
  }

  #dropUpstream(): void {
    this.#pool?.leave(this);
    this.#giveUpDial?.();
    this.#giveUpDial = null;
    this.#upstream?.destroy();
    this.#upstream = null;
    this.#writer.reset();
  }

  /** Answers with a refusal where that is still possible, and breaks the response off where it is not. */
  #fail(code: RefusalCode): void {
    if (this.#finished) return;
    if (this.#responseStarted) this.#breakOff(code, 'refused');
    else this.#refuse(REFUSALS[code]);
  }

  #refuse(refusal: Refusal): void {
    const route = this.#route;
    this.#dropUpstream();
    this.#record.errorCode = refusal.code;
    this.#context.plane.metrics.limitHit(refusal.code);
    const matrix = route?.kind === 'refuse' ? route.matrix : route?.requestClass !== 'site';
    const answer = answerFor(refusal, {
      matrix,
      accept: this.#head.fields.first(FieldId.accept),
      requestId: this.#record.requestId,
    });
    this.#answer(answer, refusal.close === true);
  }

  #answer(answer: LocalAnswer, close = false): void {
    const { head, body } = localResponse(answer, this.#head.method, this.#context.plane.httpDate());
    this.#responseStarted = true;
    this.#record.status = head.status;
    this.#front.sendHead(head, close || !this.#requestComplete);
    if (body !== null) {
      this.#record.bytesOut += body.length;
      this.#front.sendBody(body, false);
    }
    this.#finish(this.#record.errorCode === null ? 'complete' : 'refused');
    this.#front.sendEnd();
  }

  /** Accounts for the exchange, once. */
  #finish(outcome: Outcome): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#record.finish(outcome, this.#head, this.#front, this.#route);
  }
}
