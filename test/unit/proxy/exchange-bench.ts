/**
 * An exchange with everything around it under the test's control: a client that records, a clock that stands still, a router
 * with one answer, and upstream connections whose bytes the test writes and reads. Pool and connections are the real ones.
 */
import type { AccessEntry } from '../../../src/observability/access-entry.ts';
import type { ClassLimits } from '../../../src/policy/class-limits.ts';
import type { ConnectionContext } from '../../../src/proxy/connection-context.ts';
import { Exchange } from '../../../src/proxy/exchange.ts';
import { createFieldRecogniser } from '../../../src/proxy/field-names.ts';
import type { FieldList } from '../../../src/proxy/fields.ts';
import { createForwarding, isClientForwardingField } from '../../../src/proxy/forwarding.ts';
import type { Front, RequestHead, ResponseHead } from '../../../src/proxy/front.ts';
import { ReadBuffers } from '../../../src/proxy/read-buffers.ts';
import type { RelayRoute, RequestFacts, Route } from '../../../src/proxy/route.ts';
import { UpstreamConnection } from '../../../src/proxy/upstream/connection.ts';
import { UpstreamPool, type PoolEvent } from '../../../src/proxy/upstream/pool.ts';
import { requestHead } from './http1/heads.ts';
import { connection as connectionFacts, snapshot, upstream } from './router-fixture.ts';
import { AT_ONCE, FakeSocket } from './upstream/fake-socket.ts';

/** A client that takes down what it gets. */
export class RecordingFront implements Front {
  protocol: Front['protocol'] = 'HTTP/1.1';
  readonly informational: number[] = [];
  readonly heads: { status: number; close: boolean }[] = [];
  body = '';
  /** How the response ended, each time that it did. */
  readonly endings: ('end' | 'abort')[] = [];
  /** What `sendBody` answers, and what waits then. */
  takes = true;
  pending = 0;
  /** `pause` and `resume` of the request body, in turn. */
  readonly pace: string[] = [];
  tunnel = false;

  sendInformational(status: number, _fields: FieldList): void {
    this.informational.push(status);
  }
  sendHead(head: ResponseHead, close: boolean): void {
    this.heads.push({ status: head.status, close });
  }
  sendBody(chunk: Buffer): boolean {
    this.body += chunk.toString('latin1');
    return this.takes;
  }
  sendEnd(): void {
    this.endings.push('end');
  }
  flush(): void {
    // Nothing is held back here.
  }
  abort(): void {
    this.endings.push('abort');
  }
  switchToTunnel(head: ResponseHead): void {
    this.heads.push({ status: head.status, close: false });
    this.tunnel = true;
  }
  pauseRequest(): void {
    this.pace.push('pause');
  }
  resumeRequest(): void {
    this.pace.push('resume');
  }
  pendingBytes(): number {
    return this.pending;
  }
}

/** An upstream connection as its other end sees it. */
export class Upstream {
  readonly socket = new FakeSocket();
  readonly connection: UpstreamConnection;

  constructor(onRelease: (connection: UpstreamConnection, reusable: boolean) => void) {
    this.connection = new UpstreamConnection(
      this.socket.asSocket(),
      { turn: AT_ONCE, buffers: new ReadBuffers() },
      onRelease,
    );
  }

  /** What came since the last call. */
  received(): string {
    const text = this.socket.written;
    this.socket.written = '';
    return text;
  }

  answer(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.connection.onRead(bytes, bytes.length);
  }

  close(): void {
    this.socket.emit('end');
    this.socket.emit('close');
  }
}

export const limits: ClassLimits = {
  responseHeadMs: 60_000,
  responseIdleMs: 20_000,
  requestIdleMs: 15_000,
  minRequestRate: 100,
  minResponseRate: 100,
  maxBodyBytes: 1000,
  maxConcurrent: null,
};

export function relay(more: Partial<Omit<RelayRoute, 'limits'>> = {}, limit: Partial<ClassLimits> = {}): RelayRoute {
  const route = { site: 'example.com', requestClass: 'client', rule: 'test' } as const;
  return { kind: 'relay', ...route, upstream: upstream('hs'), limits: { ...limits, ...limit }, ...more };
}

export interface BenchOptions {
  readonly route?: Route;
  readonly queueMs?: number;
  readonly maxConnections?: number;
  readonly trustedProxies?: readonly string[];
  /** Addresses and classes are at their cap. */
  readonly addressFull?: boolean;
  readonly classFull?: boolean;
  /** Response head patience of the class `join`. */
  readonly joinMs?: number;
}

const READY = 'HTTP/1.1 204 No Content\r\n\r\n';
/** What the exchange before a test's own sends, to leave a used connection. */
const PLAIN = 'GET /before HTTP/1.1\r\nHost: a\r\n\r\n';

export class ExchangeBench {
  now = 50_000;
  readonly front = new RecordingFront();
  readonly upstreams: Upstream[] = [];
  readonly entries: AccessEntry[] = [];
  /** Calls of the metrics, in order; `requestFinished` by the code or the outcome. */
  readonly metrics: string[] = [];
  readonly counts = { address: 0, class: 0 };
  readonly poolEvents: PoolEvent[] = [];
  readonly problems: string[] = [];
  readonly routed: RequestFacts[] = [];
  readonly pool: UpstreamPool;
  readonly context: ConnectionContext;
  #dials: { ready: () => void; fail: (error: Error) => void }[] = [];
  #exchange: Exchange | null = null;

  constructor(options: BenchOptions = {}) {
    const clock = { now: () => 1_700_000_000_000 + this.now, monotonic: () => this.now };
    this.pool = new UpstreamPool({
      onWait: () => undefined,
      onWaitOver: () => undefined,
      clock,
      maxIdle: 10,
      idleMs: 1e9,
      maxConnections: options.maxConnections ?? 10,
      onEvent: (event) => this.poolEvents.push(event),
      dialler: {
        dial: (onReady, onFailure, onRelease) => {
          const dial = {
            ready: () => {
              const made = new Upstream(onRelease);
              this.upstreams.push(made);
              onReady(made.connection);
            },
            fail: onFailure,
          };
          this.#dials.push(dial);
          return () => (this.#dials = this.#dials.filter((other) => other !== dial));
        },
      },
    });
    const base = snapshot([]).limits;
    const counter = (name: 'address' | 'class', full: boolean | undefined) => ({
      enter: () => {
        if (full === true) return false;
        this.counts[name]++;
        return true;
      },
      leave: () => this.counts[name]--,
    });
    this.context = {
      facts: connectionFacts(),
      forwarding: createForwarding(options.trustedProxies ?? []).forConnection(connectionFacts().peer),
      tls: 'TLSv1.3',
      plane: {
        clock,
        router: {
          route: (request) => {
            this.routed.push(request);
            return options.route ?? relay();
          },
        },
        limits: {
          ...base,
          queueMs: options.queueMs ?? 5000,
          classes: {
            ...base.classes,
            join: { ...base.classes.join, responseHeadMs: options.joinMs ?? 600_000 },
          },
        },
        metrics: {
          exchangeStarted: () => this.metrics.push('started'),
          exchangeFinished: () => this.metrics.push('finished'),
          requestFinished: (entry) => this.metrics.push(entry.errorCode ?? entry.outcome),
          limitHit: (code) => this.metrics.push(`limit ${code}`),
          truncated: (side) => this.metrics.push(`truncated by ${side}`),
          upstreamRetried: () => this.metrics.push('retried'),
        },
        accessLog: { record: (entry) => this.entries.push({ ...entry }) },
        turn: AT_ONCE,
        buffers: new ReadBuffers(),
        concurrency: counter('class', options.classFull),
        requestsPerAddress: counter('address', options.addressFull),
        requestFields: createFieldRecogniser(isClientForwardingField),
        pool: () => this.pool,
        nextRequestId: () => 'id-1',
        httpDate: () => 'Sat, 21 Nov 2026 12:00:00 GMT',
        upstreamProblem: (id, error) => this.problems.push(`${id}: ${error.message}`),
        defect: (error) => {
          throw error;
        },
        draining: false,
      },
    };
  }

  /** Starts the exchange of a request; a body is fed with `exchange.requestData`. */
  start(text: string, more: Partial<RequestHead> = {}): Exchange {
    const exchange = new Exchange(this.front, this.context, { ...requestHead(text), ...more });
    this.#exchange = exchange;
    exchange.start();
    exchange.requestFlush();
    return exchange;
  }

  get exchange(): Exchange {
    if (this.#exchange === null) throw new Error('not started');
    return this.#exchange;
  }

  /** Lets the oldest attempt to connect succeed; its upstream. */
  connected(): Upstream {
    const dial = this.#dials.shift();
    if (dial === undefined) throw new Error('nobody dials');
    dial.ready();
    const made = this.upstreams.at(-1);
    if (made === undefined) throw new Error('no connection');
    return made;
  }

  refused(error: Error): void {
    const dial = this.#dials.shift();
    if (dial === undefined) throw new Error('nobody dials');
    dial.fail(error);
  }

  get dials(): number {
    return this.#dials.length;
  }

  /** An idle connection that has served a request before. */
  used(): Upstream {
    const front = new RecordingFront();
    const exchange = new Exchange(front, this.context, requestHead(PLAIN));
    exchange.start();
    const made = this.connected();
    made.answer(READY);
    made.received();
    this.entries.length = 0;
    this.metrics.length = 0;
    return made;
  }

  /** Lets time pass, looking at the clock a few times a second, as the listener does. */
  pass(ms: number): void {
    const until = this.now + ms;
    while (this.now < until) {
      this.now = Math.min(until, this.now + 250);
      this.exchange.check(this.now);
    }
  }

  data(text: string): void {
    this.exchange.requestData(Buffer.from(text, 'latin1'));
    this.exchange.requestFlush();
  }
}
