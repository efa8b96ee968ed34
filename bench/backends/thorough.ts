/** The backend of what nginx cannot answer: long polls, uploads read to their end, WebSockets. `loader backend`. */
import { once } from 'node:events';
import { join } from 'node:path';
import type { Stand } from '../setup/stand.ts';

/** Starts it on the load's CPU and returns its port. */
export async function startThoroughBackend(stand: Stand): Promise<number> {
  const running = await stand.processes.start({
    command: stand.loader,
    args: ['backend'],
    cpu: stand.cpus.load,
    log: join(stand.directory, 'thorough-backend.log'),
    talk: 'pipe',
  });
  const first = (await Promise.race([once(running.child.stdout!, 'data'), running.exited])) as [Buffer] | number;
  if (typeof first === 'number') throw new Error(`the backend ended at its start:\n${running.tail()}`);
  return (JSON.parse(first[0].toString()) as { port: number }).port;
}
