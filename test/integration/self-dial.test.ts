/** After a reload or a renewal that brings new certificates, Portico looks at its own ports (src/self-dial.ts). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { get, test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';
import { createTestCa } from '../helpers/test-certificates.ts';

async function outcomes({ portico }: Front): Promise<Record<string, number | undefined>> {
  const of = (outcome: string) => portico.metric('portico_self_dials_total', `outcome="${outcome}"`);
  return { match: await of('match'), mismatch: await of('mismatch'), failed: await of('failed') };
}

test('certificates that were renewed in their files are seen on each TLS port', async ({ stage }) => {
  const directory = await stage.directory();
  const chain = join(directory, 'chain.pem');
  const key = join(directory, 'key.pem');
  const ca = await createTestCa();
  const renew = async (): Promise<void> => {
    const issued = await ca.issue(['example.test', 'matrix.example.test']);
    await writeFile(key, issued.key);
    await writeFile(chain, issued.cert);
  };
  await renew();
  const front = await stage.front(undefined, (config) => {
    config.certificates[0] = { names: ['example.test', 'matrix.example.test'], files: { chain, key } };
  });
  expect(await outcomes(front)).toEqual({ match: 0, mismatch: 0, failed: 0 });
  await renew();
  // Two names, two TLS listeners.
  await eventually(async () => {
    expect(await outcomes(front)).toEqual({ match: 4, mismatch: 0, failed: 0 });
  });
  const client = await front.connect({ servername: 'other.test' });
  await client.send(get('/_matrix/client/versions', 'other.test'));
  expect((await client.readResponse()).status).toBe(200);
});

test('a reload looks at what is new in it, and at nothing when nothing is', async ({ stage }) => {
  const front = await stage.front();
  await front.portico.reload(() => undefined);
  await front.portico.reload((config) => {
    config.certificates[1] = { names: ['other.test', 'also.other.test'], local_ca: true };
    config.sites[1].hosts = ['also.other.test'];
  });
  await eventually(async () => {
    expect(await outcomes(front)).toEqual({ match: 2, mismatch: 0, failed: 0 });
  });
  expect(front.portico.log.filter((line) => line.includes('SELF_DIAL'))).toEqual([]);
});
