/** The front of both relays: Node's https server with the same ciphers in the same order as Portico's. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Server } from 'node:https';

/** What a relay is told in its argument. */
export interface RelaySetting {
  readonly port: number;
  readonly backendPort: number;
  readonly chain: string;
  readonly key: string;
}

/** Reads the argument and makes the server; it listens when `serve` is called. */
export function relayServer(): { readonly server: Server; readonly setting: RelaySetting; serve(): void } {
  const setting = JSON.parse(process.argv[2] ?? '{}') as RelaySetting;
  const server = createServer({
    cert: readFileSync(setting.chain),
    key: readFileSync(setting.key),
    honorCipherOrder: true,
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
    minVersion: 'TLSv1.3',
    noDelay: true,
    keepAliveTimeout: 300_000,
  });
  process.once('SIGTERM', () => process.exit(0));
  return { server, setting, serve: () => server.listen(setting.port, '127.0.0.1', 16_384) };
}
