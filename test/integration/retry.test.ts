/**
 * A request is sent again only when it is certain that nobody acted on it: nothing was sent yet, or a reused idle
 * connection closed before a byte of response to an idempotent request without body.
 */
import { describe, expect, vi } from 'vitest';
import dns from 'node:dns';
import { createServer, isIPv6 } from 'node:net';
import type { AddressInfo } from 'node:net';
import { eventually } from '../helpers/eventually.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import type { BackendExchange, Script } from '../helpers/recording-backend.ts';
import { RecordingBackend } from '../helpers/recording-backend.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

/** The first request is answered; the second one on a connection is read and then dropped without an answer. */
const dropReused = (how: (exchange: BackendExchange) => void): Script => {
  return async (exchange) => {
    if (exchange.indexOnConnection === 0) {
      if ((await exchange.body()) !== null)
        await exchange.write(response(200, `{"connection":${String(exchange.request.connection)}}`));
    } else how(exchange);
  };
};
const WAYS: readonly (readonly [string, (exchange: BackendExchange) => void])[] = [
  ['ends', (exchange) => { exchange.socket.destroy(); }],
  ['resets', (exchange) => { exchange.reset(); }],
]; // prettier-ignore

/** The system's resolver, as far as `homeserver.test` goes: there is no DNS in a test. */
function resolveTo(stage: Stage, addresses: () => readonly string[]): void {
  const real = dns.lookup;
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation((name: string, ...rest: unknown[]) => {
    const done = rest.at(-1) as (error: null, found: unknown, family?: number) => void;
    const options = rest.length > 1 ? (rest[0] as { all?: boolean }) : {};
    if (name !== 'homeserver.test') {
      Reflect.apply(real, dns, [name, ...rest]);
      return;
    }
    const found = addresses().map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    if (options.all === true) done(null, found);
    else done(null, found[0]?.address, found[0]?.family);
  });
  stage.onClose(() => {
    lookup.mockRestore();
  });
}

describe('a reused connection that goes before a byte of response', () => {
  for (const [what, how] of WAYS) {
    test.for(['GET', 'HEAD'])(`${what}: %s is sent again, once, on a fresh connection`, async (method, { stage }) => {
      const front = await stage.front(dropReused(how));
      const client = await front.connect();
      await client.send(get(`${PATH}?first`));
      expect((await client.readResponse()).status).toBe(200);
      await client.send(request(`${method} ${PATH}?second HTTP/1.1`, HOST));
      const seen = await client.readResponse({ method });
      expect(seen.status).toBe(200);
      expect(front.backend.requests.map((one) => [one.connection, one.target])).toEqual([
        [0, `${PATH}?first`],
        [0, `${PATH}?second`],
        [1, `${PATH}?second`],
      ]);
    });

    test.for<readonly [string, string]>([
      ['POST', ''],
      ['POST', '{"a":1}'],
      ['PUT', '{"a":1}'],
      ['DELETE', '{"a":1}'],
      ['PATCH', ''],
    ])(`${what}: %s with body "%s" is not sent again`, async ([method, body], { stage }) => {
      const front = await stage.front(dropReused(how));
      const client = await front.connect();
      await client.send(get(`${PATH}?first`));
      expect((await client.readResponse()).status).toBe(200);
      await client.send(
        request(`${method} ${PATH}?second HTTP/1.1`, HOST, `Content-Length: ${String(body.length)}`) + body,
      );
      expectMatrixError(await client.readResponse(), 502, 'M_UNKNOWN');
      expect(front.backend.requests.filter((one) => one.target === `${PATH}?second`)).toHaveLength(1);
    });
  }

  test('a second failure, now on a fresh connection, is not tried a third time', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      if (exchange.index === 0) {
        await exchange.body();
        await exchange.write(response(200));
      } else exchange.socket.destroy();
    });
    const client = await front.connect();
    await client.send(get(`${PATH}?first`));
    await client.readResponse();
    await client.send(get(`${PATH}?second`));
    expectMatrixError(await client.readResponse(), 502, 'M_UNKNOWN');
    expect(front.backend.requests.filter((one) => one.target === `${PATH}?second`)).toHaveLength(2);
  });

  test('a part of a response is no reason to send again', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.index === 0) await exchange.write(response(200));
      else {
        await exchange.write('HTTP/1.1 200');
        await new Promise((resolve) => setTimeout(resolve, 50));
        exchange.socket.destroy();
      }
    });
    const client = await front.connect();
    await client.send(get(`${PATH}?first`));
    await client.readResponse();
    await client.send(get(`${PATH}?second`));
    expectMatrixError(await client.readResponse(), 502, 'M_UNKNOWN');
    expect(front.backend.requests.filter((one) => one.target === `${PATH}?second`)).toHaveLength(1);
  });

  test('a 1xx response is a byte of response', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.index === 0) await exchange.write(response(200));
      else {
        await exchange.write('HTTP/1.1 103 Early Hints\r\n\r\n');
        await new Promise((resolve) => setTimeout(resolve, 50));
        exchange.socket.destroy();
      }
    });
    const client = await front.connect();
    await client.send(get(`${PATH}?first`));
    await client.readResponse();
    await client.send(get(`${PATH}?second`));
    expect((await client.readResponse()).status).toBe(502);
    expect(front.backend.requests.filter((one) => one.target === `${PATH}?second`)).toHaveLength(1);
  });

  test('a connection that closed while idle is not used: even a POST gets through', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200));
      if (exchange.index === 0) exchange.end();
    });
    const client = await front.connect();
    await client.send(get(`${PATH}?first`));
    await client.readResponse();
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Content-Length: 2') + '{}');
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.method)).toEqual(['GET', 'POST']);
  });

  test('RST between keep-alive requests, a hundred times: no request is lost', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200));
      setTimeout(
        () => {
          exchange.reset();
        },
        Math.floor(Math.random() * 4),
      );
    });
    const client = await front.connect();
    for (let round = 0; round < 100; round += 1) {
      await client.send(get(`${PATH}?${String(round)}`));
      expect((await client.readResponse()).status).toBe(200);
    }
    expect(client.ending).toBeNull();
  });
});

describe('a fresh connection', () => {
  test('that goes before a byte of response: 502, sent once', async ({ stage }) => {
    const front = await stage.front((exchange) => {
      exchange.socket.destroy();
    });
    const client = await front.connect();
    await client.send(get(PATH));
    expectMatrixError(await client.readResponse(), 502, 'M_UNKNOWN');
    expect(front.backend.requests).toHaveLength(1);
    // The client did nothing wrong: its connection stays.
    front.backend.script = answer(response(200));
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('that is refused: 502 with CORS, nothing lost but the answer', async ({ stage }) => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', () => { resolve(); })); // prettier-ignore
    const { port } = closed.address() as AddressInfo;
    await new Promise<void>((resolve) => closed.close(() => { resolve(); })); // prettier-ignore
    const portico = await stage.portico({ homeserver: `http://127.0.0.1:${String(port)}` });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    const refused = await client.readResponse();
    expect([502, 503]).toContain(refused.status);
    expectMatrixError(refused, refused.status, 'M_UNKNOWN');
    // The homeserver comes up: the same connection works.
    const backend = await RecordingBackend.start({ port });
    stage.onClose(() => backend.close());
    await eventually(async () => {
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
    });
  });

  test.for<readonly [name: string, addresses: readonly string[], listens: string]>([
    ['IPv6 first, IPv4 answers', ['::1', '127.0.0.1'], '127.0.0.1'],
    ['IPv4 first, IPv6 answers', ['127.0.0.1', '::1'], '::1'],
    ['the third of one family answers', ['127.0.0.3', '127.0.0.2', '127.0.0.1'], '127.0.0.1'],
  ])('to a name with several addresses (%s): the next one is tried', async ([, addresses, listens], { stage }) => {
    const backend = await stage.backend({ host: listens });
    resolveTo(stage, () => addresses);
    const portico = await stage.portico({ homeserver: `http://homeserver.test:${String(backend.port)}` });
    const client = await stage.connect(portico);
    // Nothing was sent to the addresses that failed, so this is right for any request.
    await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Content-Length: 2') + '{}');
    expect((await client.readResponse()).status).toBe(200);
    expect(backend.requests).toHaveLength(1);
    expect(backend.requests[0]?.body.toString()).toBe('{}');
  });

  test('to a name whose address changes: new connections go to the new one', async ({ stage }) => {
    const old = await stage.backend(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200, '{"at":"old"}', ['Connection: close']));
      exchange.end();
    });
    const fresh = await stage.backend({
      host: '127.0.0.2',
      port: old.port,
      script: answer(response(200, '{"at":"new"}')),
    });
    let address = '127.0.0.1';
    resolveTo(stage, () => [address]);
    const portico = await stage.portico({ homeserver: `http://homeserver.test:${String(old.port)}` });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    expect((await client.readResponse()).json()).toEqual({ at: 'old' });
    address = '127.0.0.2';
    await client.send(get(PATH));
    expect((await client.readResponse()).json()).toEqual({ at: 'new' });
    expect(fresh.requests).toHaveLength(1);
  });

  test('to a name that does not resolve: 502', async ({ stage }) => {
    const portico = await stage.portico({ homeserver: 'http://no-such-name.invalid:8008' });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    const refused = await client.readResponse({ timeoutMs: 30_000 });
    expect([502, 503, 504]).toContain(refused.status);
    expectMatrixError(refused, refused.status, 'M_UNKNOWN');
  });
});
