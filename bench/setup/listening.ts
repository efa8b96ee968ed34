/** Waits until a program that was just started takes connections. */
import { connect } from 'node:net';
import type { Running } from '../measure/processes.ts';

/** Ten thousand sites take some programs a while. */
const LIMIT_MS = 120_000;
const PAUSE_MS = 5;

/**
 * Resolves when 127.0.0.1:port takes connections, with the milliseconds it took.
 *
 * @throws Error with the program's last words when it ends before, or takes too long
 */
export async function untilListening(running: Running, port: number, what: string): Promise<number> {
  const started = performance.now();
  while (!(await accepts(port))) {
    if (!running.alive()) throw new Error(`${what} ended at its start:\n${running.tail()}`);
    if (performance.now() - started > LIMIT_MS) throw new Error(`${what} does not listen:\n${running.tail()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return performance.now() - started;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
