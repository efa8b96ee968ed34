/** What the manager needs of an authority: narrower than the client, so that tests can script it. */
import type { OrderRequest, OrderResult } from './order.ts';
import type { IssuerLimits } from './rate-limits.ts';
import type { RenewalInfo } from './renewal-info.ts';

/** An authority with an account there. */
export interface IssuerSession {
  /** The account's URL as it is now. */
  readonly accountUri: string;
  /** Profiles that the directory lists; null: it knows none. */
  profiles(): readonly string[] | null;
  /** Null: the authority has no renewal information for the certificate. */
  renewalInfo(certId: string, signal: AbortSignal): Promise<RenewalInfo | null>;
  /** Begins an order or goes on with one that a crash interrupted. */
  obtain(request: OrderRequest, signal: AbortSignal): Promise<OrderResult>;
  /** True when just this was ordered before and not ended, so that `obtain` goes on with it. */
  isUnderWay(request: OrderRequest): Promise<boolean>;
  /** Gives the account a new key (RFC 8555 §7.3.5). Not while an order is under way. */
  rollOver(signal: AbortSignal): Promise<void>;
  /** Forgets the order, once its certificate is stored. */
  discard(id: string): Promise<void>;
}

/** An authority of the config. */
export interface Issuer {
  /** Names it in the store: `[a-z0-9.-]+`. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Whatever a session depends on, as text without secrets: with another one, a new session is opened. */
  readonly fingerprint: string;
  /** From the config; null: none was set. */
  readonly profile: string | null;
  readonly preferredChain: string | null;
  /** Null: not known. */
  readonly limits: IssuerLimits | null;
  /** Opens the account, or makes it. */
  connect(signal: AbortSignal): Promise<IssuerSession>;
  /** Tries an order where failures cost nothing; null when the authority has no such place. */
  readonly probe: ((request: OrderRequest, signal: AbortSignal) => Promise<void>) | null;
}
