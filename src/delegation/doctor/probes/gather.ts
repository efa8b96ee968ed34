/** Looks at a server name from outside in: discovery, every address, keys, documents. Judges nothing. */
import type { Clock } from '../../../base/clock.ts';
import type { DnsClient } from '../../../dns/dns-client.ts';
import { createRememberingClient } from '../../../dns/remembering-client.ts';
import type { DialSetting } from '../../outbound/dial.ts';
import { ask } from '../../resolve/ask.ts';
import { createHttpsGet } from '../../resolve/https-get.ts';
import { resolveServerName } from '../../resolve/resolve.ts';
import { Trail } from '../../resolve/trail.ts';
import type { Resolution } from '../../resolve/types.ts';
import type { Evidence, Expected } from '../evidence.ts';
import { Budget } from './budget.ts';
import { probeDocument, probeServerDocuments, probeVersions } from './documents.ts';
import { probePlace } from './place.ts';
import type { CanarySource } from './place.ts';

/** What the doctor works with. */
export interface DoctorDeps {
  readonly dns: DnsClient;
  readonly dial: DialSetting;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Most connections for one name. */
  readonly maxRequests: number;
  /** Canaries of the Portico that the names should lead to; null: none, and URIs are not looked at. */
  readonly canary: CanarySource | null;
}

/** More places than this are left out; a name with as many is looked at well enough. */
const MAX_PLACES = 8;

/**
 * Gathers everything about one name.
 * @param expected - what the config wants; null for a name that is not in it
 * @param signal - the end of all patience
 * @throws PorticoError `RESOLVE_NAME_INVALID` when the text is not a server name
 */
export async function gather(
  text: string,
  expected: Expected | null,
  deps: DoctorDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const { clock, random } = deps;
  // The same names are met again and again; their servers need not be asked each time.
  const dns = createRememberingClient(deps.dns);
  const budget = new Budget(deps.maxRequests);
  const dial: DialSetting = { ...deps.dial, beforeDial: budget.take };
  const get = createHttpsGet(dial);
  const resolution = await resolveServerName(text, { dns, get, clock, random }, signal);
  const name = resolution.serverName;
  const context = { dns, get, clock, random, name, trail: new Trail(clock), signal };

  // A stranger's server cannot answer: a canary is only sent for names that the config has.
  const canary = expected === null ? null : deps.canary;
  const places = await Promise.all(
    placesOf(resolution).map(({ target, address }) => probePlace(target, address, dial, canary, signal)),
  );
  const base = `https://${name.hostname}/.well-known/matrix/`;
  const [serverDocuments, client, support] = name.isIp
    ? [[], null, null]
    : await Promise.all([
        resolution.wellKnown === null ? [] : probeServerDocuments(context, name.hostname, dial, signal),
        probeDocument(context, `${base}client`),
        probeDocument(context, `${base}support`),
      ]);
  const overruledSrv = resolution.delegated === null ? [] : await srvRecordsOf(dns, name.hostname, signal);
  const versions = await probeVersions(context, client, expected?.clientBaseUrl ?? null);
  return {
    name,
    now: clock.now(),
    allowPrivate: dial.allowPrivate,
    resolution,
    places,
    overruledSrv,
    serverDocuments,
    client,
    support,
    versions,
    expected,
    exhausted: budget.exhausted || signal.aborted,
    requests: budget.spent,
  };
}

/** In the words of {@link Evidence.overruledSrv}; a look-up that fails shows none, for nothing rests on them. */
async function srvRecordsOf(dns: DnsClient, hostname: string, signal: AbortSignal): Promise<string[]> {
  for (const service of ['_matrix-fed', '_matrix']) {
    const owner = `${service}._tcp.${hostname}`;
    const asked = await ask(dns, owner, 'SRV', signal);
    if (asked.kind !== 'records') continue;
    return asked.records.flatMap((record) =>
      record.type === 'SRV' && record.target !== '' ? [`${owner}: ${record.target} port ${String(record.port)}`] : [],
    );
  }
  return [];
}

/** Each address and port once, in the order in which peers would try them. */
function placesOf({ targets }: Resolution) {
  const all = targets.flatMap((target) => target.addresses.map((address) => ({ target, address })));
  const keyOf = ({ target, address }: (typeof all)[number]): string => `${address} ${String(target.port)}`;
  const first = new Map(all.toReversed().map((place) => [keyOf(place), place]));
  return all.filter((place) => first.get(keyOf(place)) === place).slice(0, MAX_PLACES);
}
