/** The peers by name, and what became of each; written by the installer, read by the tests. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { PEERS_DIRECTORY, placeOf } from './place.ts';

/** Every peer the tests know. */
export const PEER_NAMES = [
  'synapse',
  'dendrite',
  'chromium',
  'nghttp2',
  'h2spec',
  'httpx',
  'hpack-stories',
  'knot',
  'nginx',
  'pebble',
] as const;
/** One of them. */
export type PeerName = (typeof PEER_NAMES)[number];

/** Installed, with the directory or program to run; or missing, with the reason for people. */
export type PeerState =
  | { readonly state: 'ready'; readonly version: string; readonly path: string }
  | { readonly state: 'missing'; readonly why: string };

const FILE = placeOf('peers.json');

/** Leaves the outcome for the tests; peers that are not named keep theirs. */
export function writePeerStates(states: Readonly<Partial<Record<PeerName, PeerState>>>): void {
  const before = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as object) : {};
  writeFileSync(FILE, `${JSON.stringify({ ...before, ...states }, null, 2)}\n`);
}

/** What the last preparation found; a peer that was never prepared is missing. */
export function readPeerState(name: PeerName): PeerState {
  let text: string;
  try {
    text = readFileSync(FILE, 'utf8');
  } catch {
    return { state: 'missing', why: `nothing is prepared in ${PEERS_DIRECTORY}: run \`node test/peers/install.ts\`` };
  }
  const states = JSON.parse(text) as Partial<Record<PeerName, PeerState>>;
  return states[name] ?? { state: 'missing', why: 'prepared by an older version: run `node test/peers/install.ts`' };
}
