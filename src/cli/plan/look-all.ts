/** Looks at the sites of a config, several at once, within a few seconds in all. */
import { networkInterfaces } from 'node:os';
import { inParallel } from '../../acme/parallel.ts';
import { lookAtSite } from '../../delegation/plan/look.ts';
import type { LookDeps } from '../../delegation/plan/look.ts';
import { ownAddresses } from '../../delegation/plan/own-addresses.ts';
import type { OwnAddresses } from '../../delegation/plan/own-addresses.ts';
import type { PlanSite } from '../../delegation/plan/plan-site.ts';
import type { SiteLook } from '../../delegation/plan/site-look.ts';
import type { FlagValues } from '../command.ts';
import { openNetwork } from '../network.ts';

/** Milliseconds for everything. */
const LIMIT_MS = 8000;
/** Milliseconds for one connection: who takes longer is as good as away for a plan. */
const DIAL_MS = 3000;
const AT_ONCE = 4;

/** What the outside is asked with. */
export interface Outside {
  readonly deps: LookDeps;
  readonly own: OwnAddresses;
}

/** @throws PorticoError `FLAG_INVALID` */
export function openOutside(flags: FlagValues, servers: readonly string[]): Outside {
  const { dial, resolve } = openNetwork(flags, servers);
  const { dns, clock, random } = resolve;
  const deps = { dns, clock, random, dial: { ...dial, timeoutMs: DIAL_MS } };
  return { deps, own: ownAddresses(networkInterfaces()) };
}

/** The looks by server name; sites for which no time was left are not among them. */
export async function lookAtAll(
  sites: readonly PlanSite[],
  deps: LookDeps,
  limitMs = LIMIT_MS,
): Promise<Map<string, SiteLook>> {
  const signal = AbortSignal.timeout(limitMs);
  const looks = new Map<string, SiteLook>();
  await inParallel(sites, AT_ONCE, async (site) => {
    if (!signal.aborted) looks.set(site.name.text, await lookAtSite(site, deps, signal));
  });
  return looks;
}
