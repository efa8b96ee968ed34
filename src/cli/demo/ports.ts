/** Ports for the demo: the ones people expect, or free ones where those are taken. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Listens for a moment; resolves to the port, or null when it is taken or not permitted. */
function tryPort(host: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, host, () => {
      const { port: got } = server.address() as AddressInfo;
      server.close(() => resolve(got));
    });
  });
}

/**
 * The wanted port if it is free on this address, else another free one. Somebody else may still take it before it is
 * used; starting then fails with `LISTEN_ADDRESS_IN_USE`.
 */
export async function freePort(host: string, wanted: number): Promise<number> {
  const port = (await tryPort(host, wanted)) ?? (await tryPort(host, 0));
  if (port === null) throw new Error(`no port can be listened on at ${host}`);
  return port;
}
