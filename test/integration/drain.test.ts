/** Stopping and reloading: what is in flight is finished or ended in order, and nothing new is refused needlessly. */
import { describe, expect } from 'vitest';
import { eventually, within } from '../helpers/eventually.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { expectClose, expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';

/** Holds answers back until told. */
function holding(): { script: Script; release: () => void; held: () => number } {
  const waiting: (() => void)[] = [];
  let open = false;
  return {
    script: async (exchange) => {
      if ((await exchange.body()) === null) return;
      if (!open && exchange.request.target.includes('hold'))
        await new Promise<void>((resolve) => waiting.push(resolve));
      if (!exchange.socket.destroyed) await exchange.write(response(200));
    },
    release: () => {
      open = true;
      for (const go of waiting) go();
    },
    held: () => waiting.length,
  };
}

describe('stop', () => {
  test('finishes what is in flight, says `Connection: close`, accepts nothing new, then resolves', async ({
    stage,
  }) => {
    const { script, release, held } = holding();
    const front = await stage.front(script);
    const client = await front.connect();
    await client.send(get(`${PATH}?hold`));
    await eventually(() => {
      expect(held()).toBe(1);
    });
    let stopped = false;
    const stopping = front.portico.app.stop(20_000).then(() => (stopped = true));
    await eventually(async () => {
      await expect(front.connect()).rejects.toThrow();
    });
    expect(stopped).toBe(false);
    release();
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.truncated).toBe(false);
    expect(seen.field('connection')?.toLowerCase()).toBe('close');
    await client.closed();
    await within(stopping, 10_000, 'stopping');
  });

  test('closes idle connections at once', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(PATH));
    await client.readResponse();
    const stopping = front.portico.app.stop(20_000);
    expect((await client.readUntilClose()).toString()).toBe('');
    await within(stopping, 10_000, 'stopping');
  });

  test('an upload in progress is finished', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      request('POST /_matrix/media/v3/upload HTTP/1.1', 'Host: example.test', 'Content-Length: 10') + 'hello',
    );
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    const stopping = front.portico.app.stop(20_000);
    await client.send('world');
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('helloworld');
    await within(stopping, 10_000, 'stopping');
  });

  test('at the deadline what is left ends: the client is never given a whole-looking part', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.request.target.includes('body'))
        await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
    });
    const waiting = await front.connect();
    const reading = await front.connect();
    await waiting.send(get('/_matrix/client/v3/sync?timeout=30000'));
    await reading.send(get(`${PATH}?body`));
    await reading.readAtLeast(20);
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(2);
    });
    await within(front.portico.app.stop(300), 10_000, 'stopping');
    await reading.closed();
    // A long poll may be answered with a retryable error or just closed; never with a made-up success.
    const rest = (await waiting.readUntilClose()).toString('latin1');
    expect(rest).toMatch(/^(HTTP\/1\.1 503 |$)/);
    await eventually(() => {
      for (const one of front.backend.connections) expect(one.ending).not.toBeNull();
    });
  });

  test('stopping twice is no error', async ({ stage }) => {
    const front = await stage.front();
    await front.portico.app.stop(1000);
    await front.portico.app.stop(1000);
  });
});

describe('reload', () => {
  test('open connections go on; new ones see the new state', async ({ stage }) => {
    const { script, release, held } = holding();
    const front = await stage.front(script);
    const client = await front.connect();
    await client.send(get(`${PATH}?hold`));
    await eventually(() => {
      expect(held()).toBe(1);
    });
    await front.portico.reload((config) => {
      config.sites[0].fallback = { status: 410 };
    });
    const fresh = await front.connect();
    await fresh.send(get('/'));
    expect((await fresh.readResponse()).status).toBe(410);
    release();
    expect((await client.readResponse()).status).toBe(200);
  });

  test('another homeserver for new requests', async ({ stage }) => {
    const front = await stage.front();
    const second = await stage.backend();
    await front.portico.reload((config) => {
      config.sites[0].homeserver = { url: second.url };
    });
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    expect(second.requests).toHaveLength(1);
    expect(front.backend.requests).toHaveLength(0);
  });

  test('a hundred requests during ten reloads: none fails', async ({ stage }) => {
    const front = await stage.front();
    let failures = 0;
    const load = (async () => {
      let client = await front.connect();
      for (let round = 0; round < 100; round += 1) {
        await client.send(get(`${PATH}?${String(round)}`));
        const seen = await client.readResponse();
        if (seen.status !== 200) failures += 1;
        // As any client does: a connection of the old config ends after its next response.
        if (seen.field('connection') === 'close') client = await front.connect();
      }
    })();
    for (let round = 0; round < 10; round += 1) {
      await front.portico.reload((config) => {
        config.sites[1].fallback = { status: 400 + round };
      });
    }
    await load;
    expect(failures).toBe(0);
  });

  test('a connection of the old config answers once more and ends; a new one follows the new config', async ({
    stage,
  }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).field('connection')).toBeUndefined();
    await front.portico.reload((config) => {
      config.limits.max_target = '256B';
    });
    await client.send(get(PATH));
    await expectClose(client, await client.readResponse());
    const next = await front.connect();
    await next.send(get(`${PATH}?${'x'.repeat(300)}`));
    expectMatrixError(await next.readResponse(), 414, 'M_UNKNOWN');
  });

  test('what a listener is for changes without closing it, and its address while its port stays', async ({ stage }) => {
    const front = await stage.front();
    const { port } = front.portico.https;
    const listenOn = async (host: string, only: string[]): Promise<void> => {
      await front.portico.reload((config) => {
        config.listeners = [{ address: `${host}:${String(port)}`, role: 'https', only }];
      });
    };
    await listenOn('127.0.0.1', []);
    await listenOn('127.0.0.1', ['federation']);
    const client = await front.connect();
    await client.send(get('/_matrix/client/v3/sync'));
    expectMatrixError(await client.readResponse(), 404, 'M_UNRECOGNIZED');
    await listenOn('0.0.0.0', []);
    const again = await front.connect();
    await again.send(get(PATH));
    expect((await again.readResponse()).status).toBe(200);
  });

  test('a name that is gone is refused, a new one is served', async ({ stage }) => {
    const front = await stage.front();
    await front.portico.reload((config) => {
      config.sites[1].server_name = 'new.test';
      config.certificates[1] = { names: ['new.test'], local_ca: true };
    });
    await expect(front.connect({ servername: 'other.test' })).rejects.toThrow();
    const client = await front.connect({ servername: 'new.test' });
    await client.send(get(PATH, 'new.test'));
    expect((await client.readResponse()).status).toBe(200);
  });
});
