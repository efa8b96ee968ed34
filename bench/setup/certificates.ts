/** Certificates of many sites, made once per run and only when a row wants them. */
import { join } from 'node:path';
import { runStep } from '../../test/peers/install/step.ts';
import { siteName } from './site-names.ts';
import type { Stand } from './stand.ts';

/** As many as the largest row has. */
const MOST = 10_000;
const LIMIT_MS = 120_000;

/** Gives a directory with the certificates of the first 10,000 sites; the first call makes them. */
export function siteCertificates(stand: Stand): () => Promise<string> {
  let made: Promise<string> | null = null;
  return () => {
    made ??= make(stand);
    return made;
  };
}

async function make(stand: Stand): Promise<string> {
  const directory = join(stand.directory, 'sites');
  await runStep({
    log: 'bench-certs',
    command: stand.loader,
    args: ['certs', '-out', directory, '-name', siteName('%d'), '-count', String(MOST)],
    timeoutMs: LIMIT_MS,
  });
  return directory;
}
