/** Stopping and reloading with HTTP/2 connections open: GOAWAY twice (RFC 9113 §6.8), what is in flight is finished. */
import { describe, expect } from 'vitest';
import { eventually, within } from '../helpers/eventually.ts';
import { PATH, connectH2, requestFields } from '../helpers/h2-client.ts';
import { ErrorCode, Flag, MAX_WINDOW, data } from '../helpers/h2-frames.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';

/** Holds answers back until told. */
function holding(): { script: Script; release: () => void; held: () => number } {
  const waiting: (() => void)[] = [];
  return {
    script: async (exchange) => {
      if ((await exchange.body()) === null) return;
      if (exchange.request.target.includes('hold')) await new Promise<void>((resolve) => waiting.push(resolve));
      if (!exchange.socket.destroyed) await exchange.write(response(200));
    },
    release: () => {
      for (const go of waiting) go();
    },
    held: () => waiting.length,
  };
}

describe('stop', () => {
  test('GOAWAY for all, then GOAWAY with the last stream; open streams finish; then the end', async ({ stage }) => {
    const { script, release, held } = holding();
    const front = await stage.front(script);
    const client = await connectH2(front);
    const first = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    await eventually(() => {
      expect(held()).toBe(1);
    });
    const stopping = front.portico.app.stop(20_000);
    await client.until(() => client.goaways.length > 0, 'the first GOAWAY');
    expect(client.goaways[0]).toMatchObject({ lastStreamId: MAX_WINDOW, code: ErrorCode.noError });
    // On its way when the first GOAWAY arrived: it is still served, that is what the first one is for.
    const crossing = await client.open(requestFields({ ':path': PATH }));
    expect((await client.response(crossing)).status).toBe(200);
    await client.until(() => client.goaways.length > 1, 'the second GOAWAY');
    expect(client.goaways[1]).toEqual({
      lastStreamId: crossing,
      code: ErrorCode.noError,
      debug: expect.any(String) as unknown,
    });
    expect(client.raw.ending).toBeNull();
    release();
    const seen = await client.response(first);
    expect([seen.status, seen.body.toString(), seen.ended]).toEqual([200, '{}', true]);
    await client.closed();
    client.raw.destroy();
    await within(stopping, 15_000, 'stopping');
  });

  test('a stream after the second GOAWAY is not served, and the client can tell', async ({ stage }) => {
    const { script, release, held } = holding();
    const front = await stage.front(script);
    const client = await connectH2(front);
    const first = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    await eventually(() => {
      expect(held()).toBe(1);
    });
    const stopping = front.portico.app.stop(20_000);
    await client.until(() => client.goaways.length > 1, 'the second GOAWAY');
    const late = await client.open(requestFields({ ':path': `${PATH}?late` }));
    await client.roundTrip();
    expect(client.goaways[1]?.lastStreamId).toBeLessThan(late);
    expect([0, undefined]).toContain(client.responseSoFar(late).status);
    release();
    expect((await client.response(first)).status).toBe(200);
    await client.closed();
    client.raw.destroy();
    await within(stopping, 15_000, 'stopping');
    expect(front.backend.text()).not.toContain('late');
  });

  test('an upload in progress is finished', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '10']), false);
    await client.send(data(id, 'hello'));
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    const stopping = front.portico.app.stop(20_000);
    await client.until(() => client.goaways.length > 1, 'the second GOAWAY');
    await client.send(data(id, 'world', Flag.endStream));
    expect((await client.response(id)).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('helloworld');
    await client.closed();
    client.raw.destroy();
    await within(stopping, 15_000, 'stopping');
  });

  test('an idle connection ends with GOAWAY and nothing else', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    expect((await client.fetch()).status).toBe(200);
    const stopping = front.portico.app.stop(20_000);
    await client.closed();
    client.raw.destroy();
    expect(client.goaways.map((one) => one.code).filter((code) => code !== ErrorCode.noError)).toEqual([]);
    expect(client.goaways.length).toBeGreaterThan(0);
    await within(stopping, 15_000, 'stopping');
  });

  test('at the deadline what is left ends, and does not look whole', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
    });
    const client = await connectH2(front);
    const id = await client.open();
    await client.until(() => client.stream(id).bytes > 0, 'a part');
    await within(front.portico.app.stop(300), 10_000, 'stopping');
    await client.closed();
    expect(client.stream(id).ended).toBe(false);
    await eventually(() => {
      for (const one of front.backend.connections) expect(one.ending).not.toBeNull();
    });
  });
});

describe('reload', () => {
  test('a connection of the old config finishes what it has and ends; no request fails', async ({ stage }) => {
    const { script, release, held } = holding();
    const front = await stage.front(script);
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    await eventually(() => {
      expect(held()).toBe(1);
    });
    await front.portico.reload((config) => {
      config.sites[0].fallback = { status: 410 };
    });
    const fresh = await connectH2(front);
    expect((await fresh.fetch({ ':path': '/' })).status).toBe(410);
    release();
    expect((await client.response(id)).status).toBe(200);
    await client.closed();
    expect(client.goaways.map((one) => one.code)).toEqual([ErrorCode.noError, ErrorCode.noError]);
  });

  test('requests during ten reloads: each is answered or surely not served', async ({ stage }) => {
    const front = await stage.front();
    let failures = 0;
    const load = (async () => {
      let client = await connectH2(front);
      for (let round = 0; round < 100; round += 1) {
        if (client.goaways.length > 0) client = await connectH2(front);
        const seen = await client.fetch({ ':path': `${PATH}?${String(round)}` });
        if (seen.status !== 200) failures += 1;
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
});
