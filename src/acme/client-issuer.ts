/** An authority as the manager asks it, by the ACME client and the orders made with it. */
import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Store } from '../store/store.ts';
import type { ChallengeSolver } from './challenge.ts';
import { openAcmeClient } from './client.ts';
import type { AcmeClient } from './client.ts';
import { stagingIssuer } from './issuer.ts';
import type { AcmeIssuer } from './issuer.ts';
import type { Issuer, IssuerSession } from './issuing.ts';
import { isOrderPlaced } from './order-state.ts';
import { discardOrder, obtain, probeStaging } from './order.ts';
import type { OrderDeps, OrderStep } from './order.ts';
import type { IssuerLimits } from './rate-limits.ts';

/** What an authority is asked with. */
export interface ClientIssuerOptions {
  readonly issuer: AcmeIssuer;
  /** From the config; null: none was set. */
  readonly profile: string | null;
  readonly preferredChain: string | null;
  /** Null: not known. */
  readonly limits: IssuerLimits | null;
  /** Locked for as long as the manager is open. */
  readonly store: Store;
  readonly clock: Clock;
  readonly solvers: readonly ChallengeSolver[];
  /** Another text whenever `solvers` do something else, without secrets: orders that begin then are made with the new ones. */
  readonly solversTag: string;
  readonly log: (step: OrderStep) => void;
}

/** Nothing is asked before `connect`. */
export function clientIssuer(options: ClientIssuerOptions): Issuer {
  const { issuer, profile, preferredChain, limits, store, clock } = options;
  const staging = stagingIssuer(issuer);
  return {
    id: issuer.id,
    name: issuer.name,
    fingerprint: fingerprintOf(issuer, options.solversTag),
    profile,
    preferredChain,
    limits,
    connect: async (signal) => sessionOf(await openAcmeClient(issuer, { store, clock }, signal), options),
    probe:
      staging === null
        ? null
        : async (request, signal) => {
            const client = await openAcmeClient(staging, { store, clock }, signal);
            try {
              await probeStaging(request, orderDeps(client, options), signal);
            } finally {
              client.close();
            }
          },
  };
}

function sessionOf(client: AcmeClient, options: ClientIssuerOptions): IssuerSession {
  const { store } = options;
  const issuerId = client.issuer.id;
  return {
    get accountUri() {
      return client.accountUri;
    },
    profiles: () => client.profiles(),
    renewalInfo: (certId, signal) => client.renewalInfo(certId, signal),
    obtain: (request, signal) => obtain(request, orderDeps(client, options), signal),
    isUnderWay: (request) => isOrderPlaced(store, issuerId, request.id, request),
    discard: (id) => discardOrder(issuerId, id, store),
    close: () => {
      client.close();
    },
  };
}

function orderDeps(client: AcmeClient, { solvers, store, clock, log }: ClientIssuerOptions): OrderDeps {
  return { client, solvers, store, clock, log };
}

/** The binding's key is in it as a part of a hash only. */
function fingerprintOf({ directoryUrl, caPem, eab, email }: AcmeIssuer, solversTag: string): string {
  const binding = eab === null ? null : [eab.kid, eab.hmacKey.toString('base64')];
  return createHash('sha256')
    .update(JSON.stringify([directoryUrl, caPem, binding, email, solversTag]))
    .digest('hex');
}
