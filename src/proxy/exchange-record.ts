/** What an exchange is accounted by: filled in on the way, told to metrics and access log once. */
import type { AccessEntry, Outcome } from '../observability/access-entry.ts';
import type { ConnectionContext } from './connection-context.ts';
import { FieldId } from './fields.ts';
import type { Front, RequestHead } from './front.ts';
import type { Route } from './route.ts';

/** The record of one exchange. */
export class ExchangeRecord {
  readonly requestId: string;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** The client's address, behind trusted proxies. */
  peer: string;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  upstreamMs: number | null = null;
  errorCode: string | null = null;
  readonly #context: ConnectionContext;
  readonly #time: number;
  #countedAddress = false;
  #countedClass = false;

  constructor(context: ConnectionContext) {
    const { plane } = context;
    this.#context = context;
    this.peer = context.facts.peer;
    this.requestId = plane.nextRequestId();
    this.#time = plane.clock.now();
    this.startedAt = plane.clock.monotonic();
    plane.metrics.exchangeStarted();
  }

  /** Counts the request against its address; false when that has too many. */
  enterAddress(): boolean {
    this.#countedAddress = this.#context.plane.requestsPerAddress.enter(this.peer);
    return this.#countedAddress;
  }

  /** Counts the request against the class of its site; false when that has too many. */
  enterClass(route: Route): boolean {
    this.#countedClass = this.#context.plane.concurrency.enter(route.site, route.requestClass);
    return this.#countedClass;
  }

  /** Tells metrics and log, and takes back what was counted. Called once. */
  finish(outcome: Outcome, head: RequestHead, front: Front, route: Route | null): void {
    const { plane, tls } = this.#context;
    if (this.#countedAddress) plane.requestsPerAddress.leave(this.peer);
    if (this.#countedClass && route !== null) plane.concurrency.leave(route.site, route.requestClass);
    const entry: AccessEntry = {
      time: this.#time,
      site: route?.site ?? '-',
      requestClass: route?.requestClass ?? 'site',
      method: head.method,
      target: head.target,
      status: this.status,
      outcome,
      errorCode: this.errorCode,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: plane.clock.monotonic() - this.startedAt,
      upstreamMs: this.upstreamMs,
      upstream: route?.kind === 'relay' ? route.upstream.id : null,
      tls,
      protocol: front.protocol,
      peer: this.peer,
      requestId: this.requestId,
      authorization: head.fields.first(FieldId.authorization),
    };
    plane.metrics.exchangeFinished();
    plane.metrics.requestFinished(entry);
    plane.accessLog.record(entry);
  }
}
