/**
 * Ports for servers whose name carries the port, so that it must be known before they start. They are drawn at random from
 * below the range that the system gives to outgoing connections, tried, and given back; a start that still collides is
 * repeated with other ports.
 */
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';

const LOWEST = 12_000;
/** Linux hands out 32768 and up by itself. */
const BEYOND = 32_000;
const TRIES = 50;

/** Ports of 127.0.0.1 that nobody listened on a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let i = 0; ports.size < count; i += 1) {
    if (i > TRIES) throw new Error(`no ${count} free ports found between ${LOWEST} and ${BEYOND}`);
    const port = randomInt(LOWEST, BEYOND);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
