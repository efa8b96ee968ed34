/** What strangers may send without limit must not add up in memory. The app runs in a process of its own. */
import { connect } from 'node:net';
import { describe, expect } from 'vitest';
import { clientHello } from '../helpers/client-hello.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import { startPorticoProcess } from '../helpers/portico-process.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import { get, request, test } from '../helpers/stage.ts';

/** Well above what V8 takes for itself when the machine is busy (some 55 MiB), well below one kept buffer a connection. */
const ALLOWED_GROWTH = 96 * 1024 * 1024;

/** Sends bytes on a connection of their own and waits for its end. */
function knock(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
    });
    socket.on('connect', () => socket.write(bytes));
    socket.resume();
  });
}

/** Runs `count` jobs, 50 at a time. */
async function many(count: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await job(index);
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
}

describe.skipIf(process.platform !== 'linux')('memory', { timeout: 120_000 }, () => {
  test('10,000 ClientHellos with 10,000 unknown names', async ({ stage }) => {
    const backend = await stage.backend();
    const portico = await startPorticoProcess(stage, backend.url);
    // One hello, and another name of the same length in each.
    const pattern = clientHello({ serverNames: [Buffer.from('unknown-00000.test')] });
    const at = pattern.indexOf('00000.test');
    const knockAs = (index: number): Promise<void> => {
      const hello = Buffer.from(pattern);
      hello.write(String(index).padStart(5, '0'), at, 'latin1');
      return knock(portico.port, hello);
    };
    await many(2_000, knockAs);
    const before = await portico.rss();
    await many(10_000, knockAs);
    expect((await portico.rss()) - before).toBeLessThan(ALLOWED_GROWTH);
    const client = await connectRaw({ port: portico.port, ca: portico.ca, servername: 'example.test' });
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).status).toBe(200);
    client.destroy();
    expect(portico.output()).not.toContain('unknown-');
  });

  test('3,000 uploads that their clients leave in the middle', async ({ stage }) => {
    const backend = await stage.backend((exchange) => {
      if (exchange.request.method === 'GET') return answer(response(200))(exchange);
      return undefined;
    });
    const portico = await startPorticoProcess(stage, backend.url);
    const upload = async (): Promise<void> => {
      const client = await connectRaw({ port: portico.port, ca: portico.ca, servername: 'example.test' });
      await client.send(
        request('POST /_matrix/media/v3/upload HTTP/1.1', 'Host: example.test', 'Content-Length: 1000000') +
          'x'.repeat(10_000),
      );
      client.destroy();
    };
    await many(500, upload);
    const before = await portico.rss();
    await many(2_500, upload);
    expect((await portico.rss()) - before).toBeLessThan(ALLOWED_GROWTH);
    for (const one of backend.requests) expect(one.complete).toBe(false);
    const client = await connectRaw({ port: portico.port, ca: portico.ca, servername: 'example.test' });
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).status).toBe(200);
    client.destroy();
  });
});
