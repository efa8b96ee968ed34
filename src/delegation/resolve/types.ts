/**
 * Server discovery as data: what is known of one server name after the steps of the specification have been gone through.
 * Source: Matrix specification v1.19, server-server API, "Resolving server names".
 */
import type { PorticoError } from '../../base/errors.ts';
import type { ServerName } from '../../base/server-name.ts';
import type { Clock } from '../../base/clock.ts';
import type { DnsClient } from '../../dns/dns-client.ts';
import type { HttpsGet } from './document.ts';
import type { Trail } from './trail.ts';
import type { WellKnownSeen } from './well-known.ts';

/** The steps as the specification numbers them. */
export type StepNumber = '1' | '2' | '3' | '3.1' | '3.2' | '3.3' | '3.4' | '3.5' | '4' | '5' | '6';

/** One place to connect to. All targets of a resolution have the same Host, SNI and certificate name. */
export interface Target {
  /** IP literals without brackets, in the order in which they were found. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** The Host field of requests. */
  readonly host: string;
  /** Null when the name is an IP literal: no SNI is sent then (RFC 6066 §3). */
  readonly sni: string | null;
  /** What the certificate must be for: never the target of an SRV record. */
  readonly certificateName: string;
  /** The name whose addresses these are; null for IP literals. */
  readonly addressName: string | null;
  /** The SRV record that led here. */
  readonly srv: { readonly service: string; readonly priority: number; readonly weight: number } | null;
}

/** One thing that was looked at. */
export interface Tried {
  readonly step: StepNumber;
  /** `A matrix.example.com`, `https://example.com/.well-known/matrix/server`, … */
  readonly what: string;
  /** Whether it said something, said that there is nothing, or could not be asked. */
  readonly result: 'found' | 'absent' | 'failed';
  /** What came back, or why nothing did. */
  readonly outcome: string;
  readonly ms: number;
}

/** Something that some peers stumble over although the name resolved. */
export interface ResolutionWarning {
  readonly code:
    | 'srv-target-is-cname'
    | 'srv-target-dangling'
    | 'srv-service-deprecated'
    | 'srv-invalid'
    | 'family-lookup-failed'
    | 'private-address'
    | 'upper-case';
  readonly step: StepNumber;
  /** What was seen, in one sentence. */
  readonly seen: string;
}

/** Everything that server discovery found out. */
export interface Resolution {
  /** As asked. */
  readonly serverName: ServerName;
  /** The step that gave the targets, or at which discovery failed. */
  readonly step: StepNumber;
  /** Best first, as SRV priority and weight put them; empty when discovery failed. */
  readonly targets: readonly Target[];
  /** From a valid well-known document. */
  readonly delegated: ServerName | null;
  /** The well-known document or what was in its place; null when the steps did not ask for it. */
  readonly wellKnown: WellKnownSeen | null;
  readonly tried: readonly Tried[];
  readonly warnings: readonly ResolutionWarning[];
  /** Why there are no targets. */
  readonly error: PorticoError | null;
}

/** What the steps ask. */
export interface ResolveDeps {
  readonly dns: DnsClient;
  readonly get: HttpsGet;
  readonly clock: Clock;
  /** In [0, 1), for the choice among SRV records of one priority. */
  readonly random: () => number;
}

/** What a step is given. */
export interface StepContext extends ResolveDeps {
  /** The server name, or below step 3 the delegated name. */
  readonly name: ServerName;
  readonly trail: Trail;
  readonly signal: AbortSignal | undefined;
}

/** What a step decides. */
export type StepOutcome =
  /** The step does not apply, or found nothing: go on. */
  | { readonly kind: 'next' }
  /** A well-known document names another server: go on below step 3 with that name. */
  | { readonly kind: 'delegated'; readonly name: ServerName; readonly seen: WellKnownSeen }
  /** The document is not usable: go on, but remember it. */
  | { readonly kind: 'no-document'; readonly seen: WellKnownSeen }
  | { readonly kind: 'found'; readonly targets: readonly Target[] }
  /** Discovery ends here without a result. */
  | { readonly kind: 'failed'; readonly error: PorticoError };

/** One step of server discovery. */
export interface Step {
  readonly number: StepNumber;
  /** As in "3.3: SRV record _matrix-fed of the delegated name". */
  readonly title: string;
  run(context: StepContext): Promise<StepOutcome>;
}
