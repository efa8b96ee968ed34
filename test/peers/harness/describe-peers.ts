/** A group of tests that needs peers: skipped with the reason when one is missing; failed with it when CI=true. */
import { afterEach, describe, it } from 'vitest';
import { readPeerState } from '../install/peer.ts';
import type { PeerName } from '../install/peer.ts';
import type { Sites } from './site.ts';

/** Like `describe`, with the peers that its tests need. */
export function describePeers(peers: readonly PeerName[], title: string, body: () => void): void {
  const missing = peers.flatMap((peer) => {
    const state = readPeerState(peer);
    return state.state === 'missing' ? [`${peer}: ${state.why}`] : [];
  });
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  const why = missing.join('; ');
  if (process.env.CI === 'true') {
    describe(title, () => {
      it('has the peers it needs', () => {
        throw new Error(`CI=true, and missing: ${why}`);
      });
    });
    return;
  }
  process.stderr.write(`skipped: ${title}: ${why}\n`);
  describe.skip(title, body);
}

/** Prints the ends of all logs after a test that failed. Call it inside `describe`. */
export function printLogsOnFailure(sites: () => Sites | undefined): void {
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const site of sites()?.all ?? []) process.stderr.write(`\n${site.describeLogs()}\n`);
  });
}
