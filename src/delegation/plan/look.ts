/** Looks at what the outside has of a site now: DNS records, documents of the base domain, what answers. Judges nothing. */
import type { Clock } from '../../base/clock.ts';
import { parseServerName } from '../../base/server-name.ts';
import type { ServerName } from '../../base/server-name.ts';
import type { DnsClient } from '../../dns/dns-client.ts';
import { createRememberingClient } from '../../dns/remembering-client.ts';
import { networkOf } from '../doctor/checks/cdn.ts';
import type { Attempt, DocumentSeen } from '../doctor/evidence.ts';
import { attempt } from '../doctor/probes/attempt.ts';
import { probeDocument } from '../doctor/probes/documents.ts';
import { dial } from '../outbound/dial.ts';
import type { DialSetting } from '../outbound/dial.ts';
import { getOn } from '../outbound/get.ts';
import { ask } from '../resolve/ask.ts';
import type { Asked } from '../resolve/ask.ts';
import { createHttpsGet } from '../resolve/https-get.ts';
import { resolveServerName } from '../resolve/resolve.ts';
import { srvStep } from '../resolve/steps/srv.ts';
import { Trail } from '../resolve/trail.ts';
import type { ResolutionWarning, StepContext } from '../resolve/types.ts';
import type { CaaFound } from './caa.ts';
import { MATRIX_PORT, namesToUs, peersPlace } from './plan-site.ts';
import type { PlanSite } from './plan-site.ts';
import { lookKey } from './site-look.ts';
import type { FrontSeen, LookedUp, SiteLook } from './site-look.ts';

/** What a look is made with. */
export interface LookDeps {
  readonly dns: DnsClient;
  readonly dial: DialSetting;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** More names of one site are not looked at. */
const MAX_NAMES = 20;
/** More addresses of one site are not connected to. */
const MAX_FRONTS = 4;
const MAX_BYTES = 64 * 1024;

/**
 * Looks at one site.
 * @param signal - the end of all patience; what it cuts short is in the result as not answered
 */
export async function lookAtSite(site: PlanSite, deps: LookDeps, signal: AbortSignal): Promise<SiteLook> {
  const { clock, random, dial: setting } = deps;
  const dns = createRememberingClient(deps.dns);
  const get = createHttpsGet(setting);
  const { name } = site;
  const context: StepContext = { dns, get, clock, random, name, trail: new Trail(clock), signal };
  const base = `https://${name.hostname}/.well-known/matrix/`;
  const document = async (path: string): Promise<DocumentSeen | null> =>
    name.isIp ? null : await probeDocument(context, base + path);
  const [resolution, client, support, found, srvWarnings, caa] = await Promise.all([
    resolveServerName(name.text, { dns, get, clock, random }, signal),
    document('client'),
    document('support'),
    lookUp(site, dns, signal),
    srvWarningsOf(site, context),
    caaOf(site, dns, signal),
  ]);
  const fronts = await lookAtFronts(site, found, setting, signal);
  const told = new Set(resolution.warnings.map(({ code, seen }) => `${code} ${seen}`));
  const further = srvWarnings.filter(({ code, seen }) => !told.has(`${code} ${seen}`));
  return {
    dns: found,
    caa,
    fronts,
    cutShort: signal.aborted,
    evidence: {
      name,
      now: clock.now(),
      allowPrivate: setting.allowPrivate,
      resolution: { ...resolution, warnings: [...resolution.warnings, ...further] },
      places: [],
      overruledSrv: [],
      serverDocuments: [],
      client,
      support,
      versions: null,
      expected: site.expected,
      exhausted: signal.aborted,
      requests: 0,
    },
  };
}

/** Every record that is wanted or may be in the way, and the addresses that SRV records lead to. */
async function lookUp(site: PlanSite, dns: DnsClient, signal: AbortSignal): Promise<Map<string, Asked>> {
  const found = new Map<string, Asked>();
  const one = async (type: LookedUp, name: string): Promise<void> => {
    found.set(lookKey(type, name), await ask(dns, name, type, signal));
  };
  const addresses = async (names: readonly string[]): Promise<void> => {
    const fresh = [...new Set(names)].filter((name) => !found.has(lookKey('A', name)));
    await Promise.all(fresh.slice(0, MAX_NAMES).flatMap((name) => [one('A', name), one('AAAA', name)]));
  };
  const srvNames = srvNamesOf(site);
  await Promise.all([
    addresses([...namesToUs(site).keys()]),
    ...srvNames.flatMap((name) => [one('SRV', `_matrix-fed._tcp.${name}`), one('SRV', `_matrix._tcp.${name}`)]),
    ...site.persist.slice(0, MAX_NAMES).map(({ name }) => one('TXT', name)),
  ]);
  const records = [...found.values()].flatMap((asked) => (asked.kind === 'records' ? asked.records : []));
  await addresses(records.flatMap((record) => (record.type === 'SRV' && record.target !== '' ? [record.target] : [])));
  return found;
}

/** Names below which peers look for SRV records, or would once the documents that hide them are gone. */
function srvNamesOf(site: PlanSite): string[] {
  const { srvName } = peersPlace(site);
  const own = site.name.isIp || site.name.port !== undefined ? [] : [site.name.hostname];
  return [...new Set([...(srvName === null ? [] : [srvName]), ...(site.delegation === 'well-known' ? [] : own)])];
}

/** What peers stumble over at SRV records, also those that a document hides at the moment. */
async function srvWarningsOf(site: PlanSite, context: StepContext): Promise<readonly ResolutionWarning[]> {
  const trail = new Trail(context.clock);
  for (const text of srvNamesOf(site)) {
    const name: ServerName | null = parseServerName(text);
    if (name === null) continue;
    const numbers = site.delegation === 'well-known' ? (['3.3', '3.4'] as const) : (['4', '5'] as const);
    const outcome = await srvStep(numbers[0], '_matrix-fed', '').run({ ...context, name, trail });
    if (outcome.kind === 'next') await srvStep(numbers[1], '_matrix', '').run({ ...context, name, trail });
  }
  return trail.warnings;
}

/** Climbs from each name to the top until there are CAA records (RFC 8659 §3). */
async function caaOf(site: PlanSite, dns: DnsClient, signal: AbortSignal): Promise<Map<string, CaaFound>> {
  const names = site.issuers.length === 0 ? [] : [...new Set(site.certify.map(({ name }) => name))];
  const dnsNames = names.filter((name) => parseServerName(name)?.isIp === false).slice(0, MAX_NAMES);
  const entries = await Promise.all(dnsNames.map(async (name) => [name, await climb(name, dns, signal)] as const));
  return new Map(entries);
}

async function climb(name: string, dns: DnsClient, signal: AbortSignal): Promise<CaaFound> {
  const labels = name.split('.');
  for (let at = name; at !== ''; labels.shift(), at = labels.join('.')) {
    const asked = await ask(dns, at, 'CAA', signal);
    if (asked.kind === 'failed') return { kind: 'failed', at, why: asked.why };
    if (asked.kind !== 'records') continue;
    return { kind: 'found', at, records: asked.records.flatMap((record) => (record.type === 'CAA' ? [record] : [])) };
  }
  return { kind: 'absent' };
}

/** Who answers at the addresses that peers and clients are to come to. */
async function lookAtFronts(
  site: PlanSite,
  found: ReadonlyMap<string, Asked>,
  setting: DialSetting,
  signal: AbortSignal,
): Promise<FrontSeen[]> {
  const { host, port } = peersPlace(site);
  const asked = [found.get(lookKey('A', host)), found.get(lookKey('AAAA', host))];
  const records = asked.flatMap((one) => (one?.kind === 'records' ? one.records : []));
  const addresses = records.flatMap((record) => ('address' in record ? [record.address] : [])).slice(0, MAX_FRONTS);
  return Promise.all(
    addresses.map(async (address): Promise<FrontSeen> => {
      const [https, matrixPort] = await Promise.all([
        whoAnswers(address, host, setting, signal),
        port === MATRIX_PORT ? isOpen(address, host, setting, signal) : null,
      ]);
      return { name: host, address, https, matrixPort };
    }),
  );
}

function whoAnswers(
  address: string,
  host: string,
  setting: DialSetting,
  signal: AbortSignal,
): Promise<FrontSeen['https']> {
  return attempt(async () => {
    const target = { address, port: 443, sni: host };
    const request = { ...target, host, path: '/.well-known/matrix/client', maxBytes: MAX_BYTES };
    // Whoever it is: nothing is believed or sent but the question, so the certificate does not matter.
    const { headers } = await getOn(await dial(target, setting, signal), request, setting, signal);
    return { server: typeof headers.server === 'string' ? headers.server : null, network: networkOf(headers) };
  });
}

function isOpen(address: string, host: string, setting: DialSetting, signal: AbortSignal): Promise<Attempt<true>> {
  return attempt(async () => {
    const { socket } = await dial({ address, port: MATRIX_PORT, sni: host }, setting, signal);
    socket.destroy();
    return true as const;
  });
}
