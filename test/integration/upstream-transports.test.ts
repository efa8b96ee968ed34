/** How Portico reaches a homeserver: http, https with its own CA, unix sockets, a pool of connections, several addresses. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import type { Echo } from '../helpers/honest-backend.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';
import { createTestCa } from '../helpers/test-certificates.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

describe('unix sockets', () => {
  test('requests and bodies pass', async ({ stage }) => {
    const socketPath = join(await stage.directory(), 'homeserver.sock');
    const backend = await stage.backend({ socketPath });
    const portico = await stage.portico({ homeserver: backend.url });
    const client = await stage.connect(portico);
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 5') + 'hello');
    expect((await client.readResponse()).status).toBe(200);
    expect(backend.requests[0]?.body.toString()).toBe('hello');
    expect(backend.requests[0]?.values('host')).toEqual(['example.test']);
    expect(backend.requests[0]?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  test('a socket that is not there: 502; it appears: 200', async ({ stage }) => {
    const socketPath = join(await stage.directory(), 'late.sock');
    const portico = await stage.portico({ homeserver: `unix:${socketPath}` });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    const refused = await client.readResponse();
    expect([502, 503]).toContain(refused.status);
    expectMatrixError(refused, refused.status, 'M_UNKNOWN');
    await stage.backend({ socketPath });
    await eventually(async () => {
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
    });
  });
});

describe('https', () => {
  const upstream = async (stage: Stage, names: readonly string[], days: number, host: string) => {
    const ca = await createTestCa();
    const backend = await stage.backend({ tls: await ca.issue(names, days) });
    const caFile = join(await stage.directory(), 'ca.pem');
    await writeFile(caFile, ca.ca);
    return { backend, caFile, url: `https://${host}:${String(backend.port)}` };
  };

  test('with its CA in ca_file: relayed, verified, over one connection', async ({ stage }) => {
    const { backend, caFile, url } = await upstream(stage, ['localhost'], 30, 'localhost');
    const portico = await stage.portico({
      homeserver: url,
      configure: (config) => {
        config.sites[0].homeserver = { url, ca_file: caFile };
      },
    });
    const client = await stage.connect(portico);
    for (let round = 0; round < 3; round += 1) {
      await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 5') + 'hello');
      expect((await client.readResponse()).status).toBe(200);
    }
    expect(backend.requests).toHaveLength(3);
    expect(backend.connections).toHaveLength(1);
    expect(backend.requests[0]?.values('host')).toEqual(['example.test']);
  });

  test('with an IP address in the certificate', async ({ stage }) => {
    const { caFile, url } = await upstream(stage, ['127.0.0.1'], 30, '127.0.0.1');
    const portico = await stage.portico({
      homeserver: url,
      configure: (config) => {
        config.sites[0].homeserver = { url, ca_file: caFile };
      },
    });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test.for<readonly [name: string, names: readonly string[], days: number, withCa: boolean]>([
    ['expired', ['localhost'], -1, true],
    ['for another name', ['elsewhere.test'], 30, true],
    ['of a CA that is not trusted', ['localhost'], 30, false],
  ])(
    'with a certificate that is %s: 502, and not a byte of the request is sent',
    async ([, names, days, withCa], { stage }) => {
      const { backend, caFile, url } = await upstream(stage, names, days, 'localhost');
      const portico = await stage.portico({
        homeserver: url,
        configure: (config) => {
          config.sites[0].homeserver = withCa ? { url, ca_file: caFile } : { url };
        },
      });
      const client = await stage.connect(portico);
      await client.send(
        request(`PUT ${PATH} HTTP/1.1`, HOST, 'Authorization: Bearer secret', 'Content-Length: 2') + '{}',
      );
      const refused = await client.readResponse();
      expect([502, 503]).toContain(refused.status);
      expectMatrixError(refused, refused.status, 'M_UNKNOWN');
      expect(backend.text()).toBe('');
    },
  );

  test('a server that does not speak TLS behind an https URL: an error, and nothing of the request is sent', async ({
    stage,
  }) => {
    const backend = await stage.backend();
    const portico = await stage.portico({
      homeserver: `https://127.0.0.1:${String(backend.port)}`,
      configure: (config) => {
        config.limits = { connect: '500ms' };
      },
    });
    const client = await stage.connect(portico);
    await client.send(get(PATH));
    const refused = await client.readResponse();
    expect([502, 503, 504]).toContain(refused.status);
    expectMatrixError(refused, refused.status, 'M_UNKNOWN');
    expect(backend.text()).not.toContain(PATH);
  });
});

describe('the pool', () => {
  test('one after the other share a connection, also across clients', async ({ stage }) => {
    const front = await stage.front();
    for (let round = 0; round < 5; round += 1) {
      const client = await front.connect();
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
      client.destroy();
    }
    expect(front.backend.connections).toHaveLength(1);
  });

  test('the connection used last is used next (LIFO)', async ({ stage }) => {
    const release: (() => void)[] = [];
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.index < 2) await new Promise<void>((resolve) => release.push(resolve));
      await exchange.write(response(200));
    });
    const clients = [await front.connect(), await front.connect()];
    for (const [index, client] of clients.entries()) {
      await client.send(get(PATH));
      await eventually(() => {
        expect(release).toHaveLength(index + 1);
      });
    }
    for (const [index, client] of clients.entries()) {
      release[index]?.();
      expect((await client.readResponse()).status).toBe(200);
    }
    const third = await front.connect();
    await third.send(get(PATH));
    expect((await third.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.connection)).toEqual([0, 1, 1]);
  });

  test('an idle connection is closed by Portico, before the homeserver does', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits = { upstream_idle: '200ms' };
    });
    const client = await front.connect();
    await client.send(get(PATH));
    await client.readResponse();
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).toBe('fin');
    });
    await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Content-Length: 2') + '{}');
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.connections).toHaveLength(2);
  });

  test('no more idle connections are kept than the limit', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await eventually(() => {
          expect(front.backend.requests.length).toBeGreaterThanOrEqual(6);
        });
        await exchange.write(response(200));
      },
      (config) => {
        config.limits = { upstream_idle_connections: 2 };
      },
    );
    const clients = await Promise.all(Array.from({ length: 6 }, () => front.connect()));
    await Promise.all(clients.map((client) => client.send(get(PATH))));
    for (const client of clients) expect((await client.readResponse()).status).toBe(200);
    await eventually(() => {
      expect(front.backend.connections.filter((one) => one.ending === null)).toHaveLength(2);
    });
  });

  test('no more connections are opened than the limit; further requests wait their turn', async ({ stage }) => {
    let inFlight = 0;
    let most = 0;
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        inFlight += 1;
        most = Math.max(most, inFlight);
        await new Promise((resolve) => setTimeout(resolve, 50));
        inFlight -= 1;
        await exchange.write(response(200));
      },
      (config) => {
        config.limits = { upstream_max_connections: 2 };
      },
    );
    const clients = await Promise.all(Array.from({ length: 8 }, () => front.connect()));
    await Promise.all(clients.map((client) => client.send(get(PATH))));
    for (const client of clients) expect((await client.readResponse()).status).toBe(200);
    expect(most).toBe(2);
    expect(front.backend.requests).toHaveLength(8);
  });

  test('who waits longer than `queue` gets 503 with Retry-After', async ({ stage }) => {
    const front = await stage.front(
      () => undefined,
      (config) => {
        config.limits = { upstream_max_connections: 1, queue: '200ms' };
      },
    );
    const first = await front.connect();
    await first.send(get(PATH));
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    const second = await front.connect();
    await second.send(get(PATH));
    const refused = await second.readResponse();
    expectMatrixError(refused, 503, 'M_UNKNOWN');
    expect(Number(refused.field('retry-after'))).toBeGreaterThan(0);
    expect(front.backend.requests).toHaveLength(1);
  });

  test('a client that leaves while it waits is taken out of the queue', async ({ stage }) => {
    const finish: (() => void)[] = [];
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        if (exchange.index === 0) await new Promise<void>((resolve) => finish.push(resolve));
        await exchange.write(response(200));
      },
      (config) => {
        config.limits = { upstream_max_connections: 1 };
      },
    );
    const first = await front.connect();
    await first.send(get(`${PATH}?first`));
    await eventually(() => {
      expect(finish).toHaveLength(1);
    });
    const gone = await front.connect();
    await gone.send(get(`${PATH}?gone`));
    await eventually(async () => {
      expect(await front.portico.metric('portico_requests_in_flight')).toBe(2);
    });
    gone.destroy();
    await eventually(async () => {
      expect(await front.portico.metric('portico_requests_in_flight')).toBe(1);
    });
    finish[0]?.();
    expect((await first.readResponse()).status).toBe(200);
    const last = await front.connect();
    await last.send(get(`${PATH}?last`));
    expect((await last.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.target)).toEqual([`${PATH}?first`, `${PATH}?last`]);
  });
});

describe('an honest homeserver', () => {
  test('sees method, target and body as sent', async ({ stage }) => {
    const backend = await stage.honestBackend();
    const portico = await stage.portico({ homeserver: backend.url });
    const client = await stage.connect(portico);
    const body = Buffer.alloc(3_000_000, 'matrix');
    const { createHash } = await import('node:crypto');
    await client.send(
      request('PUT /_matrix/federation/v1/send/%21a%2Fb?x HTTP/1.1', HOST, `Content-Length: ${String(body.length)}`),
    );
    await client.send(body);
    const seen = await client.readResponse();
    const echo = seen.json() as Echo;
    expect(echo.method).toBe('PUT');
    expect(echo.url).toBe('/_matrix/federation/v1/send/%21a%2Fb?x');
    expect(echo.bodySha256).toBe(createHash('sha256').update(body).digest('hex'));
    expect(seen.values('access-control-allow-origin')).toEqual(['*']);
    expect(seen.values('server')).toEqual(['Honest/1']);
  });

  test('federation paths go to federation_url', async ({ stage }) => {
    const clientSide = await stage.backend(answer(response(200, '{"side":"client"}')));
    const federationSide = await stage.backend(answer(response(200, '{"side":"federation"}')));
    const portico = await stage.portico({
      homeserver: clientSide.url,
      configure: (config) => {
        config.sites[0].homeserver.federation_url = federationSide.url;
      },
    });
    const client = await stage.connect(portico);
    for (const [target, side] of [
      ['/_matrix/client/versions', 'client'],
      ['/_matrix/federation/v1/version', 'federation'],
      ['/_matrix/key/v2/server', 'federation'],
      ['/_matrix/client/v3/sync', 'client'],
      ['/_matrix/media/v3/download/a/b', 'client'],
    ] as const) {
      await client.send(get(target));
      expect((await client.readResponse()).json(), target).toEqual({ side });
    }
  });
});
