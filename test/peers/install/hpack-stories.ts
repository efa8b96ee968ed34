/**
 * The stories of hpack-test-case: header lists of real sites as fourteen HPACK encoders wrote them. A Rust crate carries
 * them as its fixtures; its code is not used.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { InstallError, progress, runStep } from './step.ts';

const CRATE = 'httlib-hpack';
const VERSION = '0.1.3';
const FETCH_LIMIT_MS = 240_000;
const MANIFEST = `[package]
name = "portico-hpack-stories"
version = "0.0.0"
edition = "2018"

[dependencies]
${CRATE} = "=${VERSION}"
`;

/**
 * Fetches them with cargo, which verifies the crate's checksum, unless they are in place. `path` of the result is a
 * directory with a folder for each encoder, and in it a JSON file for each story.
 *
 * @throws InstallError
 */
export async function installHpackStories(debian: Debian): Promise<PeerState> {
  const name = 'hpack-stories';
  const ready: PeerState = { state: 'ready', version: VERSION, path: placeOf(name) };
  if (isInPlace(name, VERSION)) return ready;
  progress(name, `fetching the fixtures of ${CRATE} ${VERSION}`);
  if (findProgram('cargo') === null) await debian.install(name, ['cargo']);
  await putInPlace(name, VERSION, async (directory) => {
    const project = join(directory, 'project');
    mkdirSync(join(project, 'src'), { recursive: true });
    writeFileSync(join(project, 'Cargo.toml'), MANIFEST);
    writeFileSync(join(project, 'src', 'lib.rs'), '');
    await runStep({
      log: 'hpack-stories-vendor',
      command: 'cargo',
      args: ['vendor', '--versioned-dirs', 'vendor'],
      cwd: project,
      timeoutMs: FETCH_LIMIT_MS,
    });
    const fixtures = join(project, 'vendor', `${CRATE}-${VERSION}`, 'fixtures');
    if (!existsSync(fixtures)) throw new InstallError(`the crate ${CRATE} ${VERSION} has no fixtures`);
    renameSync(fixtures, join(directory, 'stories'));
    rmSync(project, { recursive: true });
  });
  return ready;
}
