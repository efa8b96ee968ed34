/**
 * A process that obtains one certificate from a fake CA into a store on disk, for tests that kill it. Reads its task from
 * PORTICO_TEST_OBTAIN, dies by its own hand where that says so, and prints the result.
 */
import { openAcmeClient } from '../../../src/acme/client.ts';
import { issuerIdOf } from '../../../src/acme/issuer.ts';
import { obtain } from '../../../src/acme/order.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { FileStore } from '../../../src/store/file-store.ts';
import { requestFor } from './order-setup.ts';

/** What the process is to do. */
export interface ObtainTask {
  readonly directoryUrl: string;
  readonly caPem: string;
  readonly storeDirectory: string;
  /** Step to die at; null: none. */
  readonly dieAt: string | null;
}

const { directoryUrl, caPem, storeDirectory, dieAt } = JSON.parse(process.env.PORTICO_TEST_OBTAIN ?? '') as ObtainTask;
const store = new FileStore(storeDirectory);
const lock = await store.lock();
const signal = AbortSignal.timeout(60_000);
const issuer = { id: issuerIdOf(directoryUrl), name: 'fake', directoryUrl, caPem, eab: null, email: null };
const client = await openAcmeClient(issuer, { store, clock: systemClock }, signal);
const solver = { type: 'http-01' as const, present: async () => {}, cleanUp: async () => {} };
const result = await obtain(
  requestFor(['example.com']),
  {
    client,
    solvers: [solver],
    store,
    clock: systemClock,
    log: ({ step }) => {
      if (step === dieAt) process.kill(process.pid, 'SIGKILL');
    },
  },
  signal,
);
await lock.release();
process.stdout.write(JSON.stringify(result));
