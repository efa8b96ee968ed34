/**
 * One exchange: a request and its response, from the first byte in to the last byte out. It asks the router, answers or
 * relays, keeps both sides' pace, watches the clock, and accounts for the outcome. It knows neither HTTP/1 nor HTTP/2 in
 * front (front.ts is the seam).
 *
 * Two rules rule here. Truncation never looks complete: a client that leaves breaks the upstream connection, an upstream
 * that leaves breaks the response. And a request is sent a second time only when nobody can have acted on the first.
 */
import type { AccessEntry, Outcome } from '../observability/access-entry.ts';
import type { Refusal } from '../policy/decision.ts';
import { REFUSALS, type RefusalCode } from '../policy/refusals.ts';
import { answerFor } from './answers.ts';
import type { ConnectionContext } from './connection-context.ts';
import { FieldId, FieldList } from './fields.ts';
import type { Front, RequestHead, ResponseHead } from './front.ts';
import { joinBytes } from './http1/join.ts';
import { localResponse } from './local-response.ts';
import type { ConnectionFacts, LocalAnswer, RelayRoute, Route } from './route.ts';
import type { UpstreamConnection, UpstreamHandler } from './upstream/connection.ts';
import type { UpstreamPool, Waiter } from './upstream/pool.ts';
import { upstreamRequestHead } from './upstream/request-head.ts';

/** A body up to this size shares one write with its head. */
const SMALL_BODY_BYTES = 16384;
/** After this long without a word from the upstream, Portico itself tells a waiting client to go on (ms). */
const CONTINUE_AFTER_MS = 1000;
/** Rates are judged after this long (ms). */
const RATE_GRACE_MS = 10_000;
/** A client that takes nothing is given at least this long (ms). */
const STALL_GRACE_MS = 30_000;
/** Silence in both directions after which a tunnel ends (ms); WebSocket users send pings well below. */
const TUNNEL_IDLE_MS = 15 * 60_000;
/** What a long poll may take beyond the `timeout` that it asked for (ms). */
const SYNC_MARGIN_MS = 60_000;

const CRLF = '\r\n';

const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** A request that a client may send again is one that a proxy may: RFC 9110 §9.2.2, and no body was streamed away. */
function isRepeatable(head: RequestHead): boolean {
  if (head.bodyLength !== 0) return false;
  return REPEATABLE.has(head.method);
}

/** The `timeout` of a long poll in ms, 0 when there is none. */
function requestedTimeout(target: string): number {
  const query = target.indexOf('?');
  if (query === -1) return 0;
  const match = /[?&]timeout=(\d{1,9})(?:&|$)/.exec(target.slice(query));
  return match === null ? 0 : Number(match[1]);
}

/** A sync that starts from nothing: no `since` (sync), `from` (events) or `pos` (sliding sync). */
function isFirstSync(target: string): boolean {
  return !/[?&](?:since|from|pos)=/.test(target);
}

/** One exchange. */
export class Exchange implements UpstreamHandler, Waiter {
  readonly #front: Front;
  readonly #context: ConnectionContext;
  readonly #head: RequestHead;
  readonly #requestId: string;
  /** The connection's facts, with the client's address behind a trusted proxy. */
  #facts: ConnectionFacts;
  #countedAddress = false;
  readonly #startedAt: number;
  readonly #time: number;
  #route: Route | null = null;
  #pool: UpstreamPool | null = null;
  #upstream: UpstreamConnection | null = null;
  #giveUpDial: (() => void) | null = null;
  /** Head that waits to leave together with the first bytes of the body. */
  #unsentHead: string | null = null;
  /** Body bytes that came before there was a connection. */
  #unsentBody: Buffer[] = [];
  #retried = false;
  #requestComplete = false;
  #requestPaused = false;
  #continueSent = false;
  #responseStarted = false;
  #tunnel = false;
  #finished = false;
  #countedConcurrency = false;
  #status = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #upstreamMs: number | null = null;
  #errorCode: string | null = null;
  /** Monotonic ms of the last progress of each kind. */
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
    this.#time = context.plane.clock.now();
    this.#startedAt = context.plane.clock.monotonic();
    this.#requestDataAt = this.#startedAt;
    this.#requestId = context.plane.nextRequestId();
    this.#facts = context.facts;
    context.plane.metrics.exchangeStarted();
  }

  /** Routes the request; called once, before any other call. */
  start(): void {
    const { plane, forwarding } = this.#context;
    const head = this.#head;
    if (forwarding.trusted) {
      const peer = forwarding.clientAddress(head.fields.all(FieldId.xForwardedFor));
      this.#facts = { ...this.#facts, peer };
    }
    this.#requestComplete = head.bodyLength === 0;
    const route = plane.router.route(
      { method: head.method, target: head.target, authority: head.authority, hasBody: head.bodyLength !== 0 },
      this.#facts,
      head.fields.first(FieldId.ifNoneMatch),
    );
    this.#route = route;
    if (!plane.requestsPerAddress.enter(this.#facts.peer)) {
      this.#refuseWith('REQUESTS_PER_ADDRESS');
      return;
    }
    this.#countedAddress = true;
    if (route.kind === 'answer') {
      this.#answer(route.answer);
    } else if (route.kind === 'refuse') {
      this.#refuse(route.refusal);
    } else if (head.bodyLength > route.limits.maxBodyBytes) {
      this.#refuseWith('BODY_TOO_LARGE');
    } else if (!plane.concurrency.enter(route.site, route.requestClass)) {
      this.#refuseWith('CLASS_CONCURRENCY');
    } else {
      this.#countedConcurrency = true;
      this.#relay(route);
    }
  }

  /** True once nothing more will be sent to the client. */
  get finished(): boolean {
    return this.#finished;
  }

  /** A piece of the request body. The bytes belong to the exchange now. */
  requestData(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    this.#requestDataAt = this.#context.plane.clock.monotonic();
    if (this.#finished) return;
    if (this.#tunnel) {
      if (this.#upstream?.write(chunk) === false) this.#pauseRequest();
      return;
    }
    const route = this.#route;
    if (route?.kind === 'relay' && this.#bytesIn > route.limits.maxBodyBytes) {
      this.#dropUpstream();
      this.#fail('BODY_TOO_LARGE');
      return;
    }
    this.#continueSent = true;
    if (this.#upstream === null) {
      this.#unsentBody.push(chunk);
      this.#pauseRequest();
    } else {
      this.#sendBody(chunk);
    }
  }

  /** The request body is complete. */
  requestEnd(): void {
    this.#requestComplete = true;
    if (this.#upstream !== null && !this.#finished) this.#finishRequest(this.#upstream);
  }

  /** All of one read from the client was delivered: what is gathered can leave. */
  requestFlush(): void {
    if (this.#unsentHead === null || this.#upstream === null) return;
    const text = this.#unsentHead;
    this.#unsentHead = null;
    if (!this.#upstream.write(text)) this.#pauseRequest();
  }

  /** The client broke the framing of its request body. */
  requestBroken(): void {
    this.#dropUpstream();
    this.#fail('BAD_BODY');
  }

  /**
   * A mistake of ours was met on the way; the log has it.
   * @returns false when the exchange was over already
   */
  defect(): boolean {
    if (this.#finished) return false;
    this.#dropUpstream();
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
      if (now - Math.max(this.#requestDataAt, this.#responseDataAt) > TUNNEL_IDLE_MS) this.#timeOut('TUNNEL_IDLE');
      return;
    }
    const route = this.#route;
    if (route?.kind !== 'relay') {
      this.#checkClientPace(now, STALL_GRACE_MS, 1);
      return;
    }
    const { limits } = route;
    if (this.#responseStarted) {
      if (this.#blockedAt !== 0) this.#checkClientPace(now, STALL_GRACE_MS, limits.minResponseRate);
      else if (now - this.#responseDataAt > limits.responseIdleMs) this.#timeOut('UPSTREAM_TIMEOUT');
      return;
    }
    if (this.#upstream === null) {
      if (now - this.#startedAt > this.#context.plane.limits.queueMs) {
        this.#dropUpstream();
        this.#fail('UPSTREAM_BUSY');
      }
      return;
    }
    if (this.#requestComplete && this.#upstreamBlockedAt === 0) {
      if (now - this.#sentAt > this.#responseHeadMs) {
        this.#dropUpstream();
        this.#fail('UPSTREAM_TIMEOUT');
      }
      return;
    }
    this.#checkRequestPace(now, route);
  }

  // From the pool

  onConnection(connection: UpstreamConnection): void {
    this.#giveUpDial = null;
    if (this.#finished) {
      connection.destroy();
      return;
    }
    this.#attach(connection);
    const gathered = this.#unsentBody;
    this.#unsentBody = [];
    for (const chunk of gathered) this.#sendBody(chunk);
    if (this.#requestComplete && gathered.length > 0) this.#finishRequest(connection);
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
    this.#upstreamMs = now - this.#sentAt;
    this.#responseDataAt = now;
    this.#responseStarted = true;
    this.#status = head.status;
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
    this.#bytesOut += chunk.length;
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
      this.#errorCode = this.#tunnel ? null : code;
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
    this.#responseHeadMs = route.limits.responseHeadMs;
    if (route.requestClass === 'sync') {
      const asked = requestedTimeout(this.#head.target) + SYNC_MARGIN_MS;
      // A first sync collects a whole account, which takes as long as joining a large room.
      const first = isFirstSync(this.#head.target) ? this.#context.plane.limits.classes.join.responseHeadMs : 0;
      this.#responseHeadMs = Math.max(this.#responseHeadMs, asked, first);
    }
    const pool = this.#context.plane.pool(route.upstream);
    this.#pool = pool;
    const connection = pool.take();
    // Body bytes of the same read follow at once and join the head, so nothing is flushed here.
    if (connection !== null) this.#attach(connection);
    else pool.wait(this);
  }

  /** Starts the request on a connection; the head waits for the first body bytes or the next flush. */
  #attach(connection: UpstreamConnection): void {
    const { facts, forwarding } = this.#context;
    this.#upstream = connection;
    connection.start(this, this.#head.method, this.#head.websocket);
    this.#sentAt = this.#context.plane.clock.monotonic();
    this.#unsentHead = upstreamRequestHead(this.#head, {
      forwardedFor: forwarding.forwardedFor(this.#head.fields.all(FieldId.xForwardedFor)),
      clientAddress: this.#facts.peer,
      proto: facts.role === 'http' ? 'http' : 'https',
      requestId: this.#requestId,
    });
    if (this.#requestComplete && this.#unsentBody.length === 0) this.#finishRequest(connection);
  }

  #sendBody(chunk: Buffer): void {
    const upstream = this.#upstream;
    if (upstream === null || chunk.length === 0) return;
    const prefix = this.#head.bodyLength === -1 ? `${chunk.length.toString(16)}${CRLF}` : '';
    const suffix = prefix === '' ? '' : CRLF;
    const head = (this.#unsentHead ?? '') + prefix;
    this.#unsentHead = null;
    let taken: boolean;
    if (head === '') {
      taken = upstream.write(chunk);
    } else if (chunk.length <= SMALL_BODY_BYTES) {
      taken = upstream.write(joinBytes(head, chunk, suffix));
    } else {
      upstream.write(head);
      taken = upstream.write(chunk);
      if (suffix !== '') taken = upstream.write(suffix);
    }
    if (!taken) {
      this.#upstreamBlockedAt = this.#context.plane.clock.monotonic();
      this.#pauseRequest();
    }
  }

  #finishRequest(upstream: UpstreamConnection): void {
    if (this.#head.bodyLength === -1) {
      upstream.write(`${this.#unsentHead ?? ''}0${CRLF}${CRLF}`);
      this.#unsentHead = null;
    } else {
      this.requestFlush();
    }
    upstream.requestSent();
    this.#sentAt = this.#context.plane.clock.monotonic();
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

  #checkRequestPace(now: number, route: RelayRoute): void {
    if (this.#requestPaused) {
      // The upstream is the slow one.
      if (this.#upstreamBlockedAt !== 0 && now - this.#upstreamBlockedAt > route.limits.responseIdleMs) {
        this.#dropUpstream();
        this.#fail('UPSTREAM_TIMEOUT');
      }
      return;
    }
    if (this.#head.expectsContinue && !this.#continueSent && now - this.#sentAt > CONTINUE_AFTER_MS) {
      this.#continueSent = true;
      this.#front.sendInformational(100, new FieldList());
      this.#front.flush();
      this.#requestDataAt = now;
    }
    const elapsed = now - this.#startedAt - this.#pausedMs;
    const tooSlow = elapsed > RATE_GRACE_MS && (this.#bytesIn * 1000) / elapsed < route.limits.minRequestRate;
    if (tooSlow || now - this.#requestDataAt > route.limits.requestIdleMs) {
      this.#dropUpstream();
      this.#fail('REQUEST_TIMEOUT');
    }
  }

  /** A client that takes less than `minRate` of what waits for it is let go. */
  #checkClientPace(now: number, graceMs: number, minRate: number): void {
    if (this.#blockedAt === 0) return;
    const allowedMs = Math.max(graceMs, (this.#front.pendingBytes() * 1000) / minRate);
    if (now - this.#blockedAt > allowedMs) this.#timeOut('RESPONSE_TOO_SLOW');
  }

  /** Breaks off an exchange whose response has started. */
  #timeOut(code: string): void {
    this.#dropUpstream();
    this.#errorCode = code;
    this.#context.plane.metrics.limitHit(code);
    this.#finish('timed_out');
    this.#front.abort();
  }

  #dropUpstream(): void {
    this.#pool?.leave(this);
    this.#giveUpDial?.();
    this.#giveUpDial = null;
    this.#upstream?.destroy();
    this.#upstream = null;
    this.#unsentHead = null;
    this.#unsentBody = [];
  }

  /** Answers with a refusal where that is still possible, and breaks the response off where it is not. */
  #fail(code: RefusalCode): void {
    if (this.#finished) return;
    if (this.#responseStarted) {
      this.#errorCode = code;
      this.#finish('timed_out');
      this.#front.abort();
    } else {
      this.#refuseWith(code);
      this.#front.flush();
    }
  }

  #refuseWith(code: RefusalCode): void {
    this.#refuse(REFUSALS[code]);
  }

  #refuse(refusal: Refusal): void {
    const route = this.#route;
    this.#errorCode = refusal.code;
    this.#context.plane.metrics.limitHit(refusal.code);
    const matrix = route?.kind === 'refuse' ? route.matrix : route?.requestClass !== 'site';
    const answer = answerFor(refusal, {
      matrix,
      accept: this.#head.fields.first(FieldId.accept),
      requestId: this.#requestId,
    });
    this.#answer(answer, refusal.close === true);
  }

  #answer(answer: LocalAnswer, close = false): void {
    const { head, body } = localResponse(answer, this.#head.method, this.#context.plane.httpDate());
    this.#responseStarted = true;
    this.#status = head.status;
    this.#front.sendHead(head, close || !this.#requestComplete);
    if (body !== null) {
      this.#bytesOut += body.length;
      this.#front.sendBody(body, false);
    }
    this.#finish(this.#errorCode === null ? 'complete' : 'refused');
    this.#front.sendEnd();
  }

  /** Accounts for the exchange, once. */
  #finish(outcome: Outcome): void {
    if (this.#finished) return;
    this.#finished = true;
    const { plane, tls } = this.#context;
    const route: Route | null = this.#route;
    if (this.#countedAddress) plane.requestsPerAddress.leave(this.#facts.peer);
    if (this.#countedConcurrency && route !== null) plane.concurrency.leave(route.site, route.requestClass);
    const entry: AccessEntry = {
      time: this.#time,
      site: route?.site ?? '-',
      requestClass: route?.requestClass ?? 'site',
      method: this.#head.method,
      target: this.#head.target,
      status: this.#status,
      outcome,
      errorCode: this.#errorCode,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      durationMs: plane.clock.monotonic() - this.#startedAt,
      upstreamMs: this.#upstreamMs,
      upstream: route?.kind === 'relay' ? route.upstream.id : null,
      tls,
      protocol: this.#front.protocol,
      peer: this.#facts.peer,
      requestId: this.#requestId,
      authorization: this.#head.fields.first(FieldId.authorization),
    };
    plane.metrics.exchangeFinished();
    plane.metrics.requestFinished(entry);
    plane.accessLog.record(entry);
  }
}
