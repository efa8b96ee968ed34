/**
 * Gets the real peers that the tests in this directory run against: homeservers, clients and h2spec, under .peers/ and, for
 * what Debian has, by apt-get. `node test/peers/install.ts` prints what it does; a second run finds everything in place.
 */
import { installChromium } from './install/chromium.ts';
import { Debian } from './install/debian.ts';
import { installDendrite } from './install/dendrite.ts';
import { installH2spec } from './install/h2spec.ts';
import { installHpackStories } from './install/hpack-stories.ts';
import { installHttpx } from './install/httpx.ts';
import { installKnot } from './install/knot.ts';
import { installNginx } from './install/nginx.ts';
import { installNghttp2 } from './install/nghttp2.ts';
import { installPebble } from './install/pebble.ts';
import { PEER_NAMES, writePeerStates } from './install/peer.ts';
import type { PeerName, PeerState } from './install/peer.ts';
import { removeLeftovers } from './install/place.ts';
import { progress } from './install/step.ts';
import { installSynapse } from './install/synapse.ts';

/** Which peers the tests can use, and why they cannot use the others. */
export interface Preparation {
  /** Name and version, for people. */
  readonly ready: string[];
  readonly missing: { readonly peer: PeerName; readonly why: string }[];
}

/** In this order at the gate to apt-get: what others wait longest for comes first. */
const INSTALLERS: Readonly<Record<PeerName, (debian: Debian) => Promise<PeerState>>> = {
  synapse: installSynapse,
  dendrite: installDendrite,
  chromium: installChromium,
  nghttp2: installNghttp2,
  h2spec: installH2spec,
  httpx: installHttpx,
  'hpack-stories': installHpackStories,
  knot: installKnot,
  nginx: installNginx,
  pebble: installPebble,
};

/**
 * Installs what is not in place, all peers at the same time. Never rejects for a peer that cannot be had.
 *
 * @param names - only these; what is known of the others stays
 */
export async function preparePeers(names: readonly PeerName[] = PEER_NAMES): Promise<Preparation> {
  removeLeftovers();
  const debian = new Debian();
  const entries = await Promise.all(
    names.map(async (name): Promise<[PeerName, PeerState]> => [name, await prepare(name, debian)]),
  );
  writePeerStates(Object.fromEntries(entries));
  const preparation: Preparation = { ready: [], missing: [] };
  for (const [peer, state] of entries) {
    if (state.state === 'ready') preparation.ready.push(`${peer} ${state.version}`);
    else preparation.missing.push({ peer, why: state.why });
  }
  return preparation;
}

async function prepare(name: PeerName, debian: Debian): Promise<PeerState> {
  const started = performance.now();
  try {
    const state = await INSTALLERS[name](debian);
    progress(name, `ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    return state;
  } catch (error) {
    // One peer that cannot be installed must not take the others with it; the reason reaches the tests and the summary.
    return { state: 'missing', why: error instanceof Error ? error.message : String(error) };
  }
}

if (import.meta.main) {
  const { ready, missing } = await preparePeers();
  for (const peer of ready) console.log(`ready: ${peer}`);
  for (const { peer, why } of missing) console.log(`missing: ${peer}: ${why}`);
  if (missing.length > 0 && process.env.CI === 'true') {
    console.log('CI=true: a missing peer is a failure');
    process.exitCode = 1;
  }
}
