/** Orders against a fake CA that misbehaves in every way that Pebble cannot be made to. */
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ariCertId } from '../../src/acme/ari.ts';
import type { ChallengeType } from '../../src/acme/challenge.ts';
import { discardOrder, obtain, probeStaging } from '../../src/acme/order.ts';
import type { OrderResult } from '../../src/acme/order.ts';
import { AcmeProblem } from '../../src/acme/problem.ts';
import { parseCertificate } from '../../src/base/certificate.ts';
import { PorticoError } from '../../src/base/errors.ts';
import { FakeCa, problem } from '../helpers/fake-ca/fake-ca.ts';
import type { CaReply, CaRequest, FakeCaOptions } from '../helpers/fake-ca/fake-ca.ts';
import { orderSetup, requestFor } from '../helpers/fake-ca/order-setup.ts';
import type { OrderSetup } from '../helpers/fake-ca/order-setup.ts';
import { generateKeys } from '../helpers/fake-ca/signer.ts';

const soon = (): AbortSignal => AbortSignal.timeout(60_000);

let ca: FakeCa;
let setup: OrderSetup;

async function begin(options: FakeCaOptions = {}): Promise<void> {
  await ca.close();
  ca = await FakeCa.start(options);
  setup = await orderSetup(ca);
}

beforeEach(async () => {
  ca = await FakeCa.start();
  setup = await orderSetup(ca);
});
afterEach(() => ca.close());

/** Opens a client and obtains; what it throws is the result of a test that expects that. */
async function obtainOnce(
  overrides: Parameters<typeof requestFor>[1] = {},
  names = ['example.com'],
): Promise<OrderResult> {
  const client = await setup.open();
  return obtain(requestFor(names, overrides), setup.deps(client), soon());
}

async function failure(promise: Promise<unknown>): Promise<PorticoError> {
  const error: unknown = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof PorticoError) return error;
  throw error;
}

async function problemOf(promise: Promise<unknown>): Promise<AcmeProblem> {
  const error = await failure(promise);
  if (error instanceof AcmeProblem) return error;
  throw error;
}

/** Answers the first `times` requests of a kind differently. */
function replyFirst(kind: CaRequest['kind'], times: number, reply: (request: CaRequest) => CaReply): void {
  let left = times;
  ca.faults.before = (request) => {
    if (request.kind !== kind || left === 0) return null;
    left -= 1;
    return reply(request);
  };
}

async function storedOrder(): Promise<Record<string, unknown> | null> {
  const stored = await setup.store.get(`acme/${setup.issuer.id}/orders/example.json`);
  return stored === null ? null : (JSON.parse(stored.toString()) as Record<string, unknown>);
}

async function storedAccount(): Promise<Record<string, unknown>> {
  const stored = await setup.store.get(`acme/${setup.issuer.id}/account.json`);
  return JSON.parse(stored?.toString() ?? '{}') as Record<string, unknown>;
}

describe('an order', () => {
  it('ends in a checked certificate for all names, keeps its state until it is discarded, and leaves no challenge behind', async () => {
    const result = await obtainOnce({}, ['example.com', 'matrix.example.com']);
    const certificate = parseCertificate(result.chain, result.key, 'acme');
    expect(certificate.names).toEqual(['example.com', 'matrix.example.com']);
    expect(result.issuer).toBe(setup.issuer.id);
    expect(setup.http.presented).toHaveLength(2);
    expect(setup.http.cleaned).toHaveLength(2);
    expect(ca.proofs.size).toBe(0);
    expect(await storedOrder()).toMatchObject({ key: result.key, orderUrl: ca.orders[0]?.url });
    await discardOrder(setup.issuer.id, 'example', setup.store);
    expect(await storedOrder()).toBeNull();
  });

  it.each(['ecdsa-p384', 'rsa-2048'] as const)('can have a key of kind %s', async (keyType) => {
    const { chain } = await obtainOnce({ keyType });
    const { asymmetricKeyType } = new X509Certificate(chain).publicKey;
    expect(asymmetricKeyType).toBe(keyType.startsWith('rsa') ? 'rsa' : 'ec');
  });

  it('can be for IP addresses of both families', async () => {
    const { chain, key } = await obtainOnce({}, ['192.0.2.7', '2001:db8::7']);
    expect(parseCertificate(chain, key, 'acme').names).toEqual(['192.0.2.7', '2001:db8::7']);
    expect(ca.orders[0]?.identifiers.map(({ type }) => type)).toEqual(['ip', 'ip']);
  });

  it('uses authorizations that are valid already', async () => {
    await obtainOnce();
    await obtainOnce({ id: 'wider' }, ['example.com', 'matrix.example.com']);
    expect(setup.http.presented.map(({ identifier }) => identifier.value)).toEqual([
      'example.com',
      'matrix.example.com',
    ]);
    expect(setup.steps.filter(({ step }) => step === 'authorized')).toMatchObject([{ name: 'example.com' }]);
    expect(ca.certificates).toHaveLength(2);
  });

  it('falls to the next challenge type when the authority refuses one, with a new order', async () => {
    ca.faults.validate = (_authz, challenge) =>
      challenge.type === 'tls-alpn-01' ? { type: 'connection', detail: 'port 443 is closed' } : null;
    await obtainOnce({ challenges: new Map([['example.com', ['tls-alpn-01', 'http-01']]]) });
    expect(ca.orders.map(({ status }) => status)).toEqual(['invalid', 'valid']);
    expect(setup.alpn.cleaned).toHaveLength(1);
    expect(setup.http.cleaned).toHaveLength(1);
  });

  it('falls to the next challenge type when a solver fails, within the same order', async () => {
    setup.alpn.present = async () => {
      throw new PorticoError('ACME_CHALLENGE_TEST', 'no listener');
    };
    await obtainOnce({ challenges: new Map([['example.com', ['tls-alpn-01', 'http-01']]]) });
    expect(ca.orders).toHaveLength(1);
    expect(setup.alpn.cleaned).toHaveLength(0);
  });

  it('throws what the most wanted challenge met when none works, in the words of the authority and with who must act', async () => {
    ca.faults.validate = (_authz, challenge) => ({
      type: challenge.type === 'http-01' ? 'dns' : 'connection',
      detail: `no ${challenge.type}`,
    });
    const error = await problemOf(obtainOnce({ challenges: new Map([['example.com', ['tls-alpn-01', 'http-01']]]) }));
    expect(error).toMatchObject({
      type: 'connection',
      detail: 'no tls-alpn-01',
      identifier: { type: 'dns', value: 'example.com' },
    });
    expect(error.fix).toMatch(/port 80 .* 443/);
    expect(ca.orders).toHaveLength(2);
    expect(await storedOrder()).toBeNull();
    expect(ca.proofs.size).toBe(0);
  });

  it('leaves the order for the next time when only solvers failed', async () => {
    const present = setup.http.present.bind(setup.http);
    setup.http.present = async () => {
      throw new PorticoError('ACME_CHALLENGE_TEST', 'no listener');
    };
    expect(await failure(obtainOnce())).toMatchObject({ code: 'ACME_CHALLENGE_TEST' });
    setup.http.present = present;
    await obtainOnce();
    expect(ca.orders).toHaveLength(1);
  });

  it('goes on when a challenge cannot be taken away, and says so', async () => {
    setup.http.cleanUp = async () => {
      throw new PorticoError('ACME_CHALLENGE_TEST', 'the record stays');
    };
    await obtainOnce();
    expect(setup.steps.find(({ step }) => step === 'clean-up-failed')?.error?.message).toBe('the record stays');
  });

  it('takes challenges away when it is aborted, and can be taken up again', async () => {
    const abort = new AbortController();
    ca.faults.after = (request, reply) => {
      if (request.kind === 'challenge') abort.abort();
      return reply;
    };
    const client = await setup.open();
    const request = requestFor(['example.com']);
    expect(await failure(obtain(request, setup.deps(client), abort.signal))).toMatchObject({ code: 'ACME_ABORTED' });
    expect(setup.http.cleaned).toHaveLength(1);
    ca.faults.after = (_request, reply) => reply;
    await obtain(request, setup.deps(client), soon());
    expect(ca.orders).toHaveLength(1);
  });

  it('takes the chain under the preferred root from the alternates, and the default when there is none', async () => {
    const rootOf = ({ chain }: OrderResult): string => {
      const last = chain.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)?.at(-1) ?? '';
      return new X509Certificate(last).issuer;
    };
    expect(rootOf(await obtainOnce({ preferredChain: 'Fake Root B' }))).toBe('CN=Fake Root B');
    expect(rootOf(await obtainOnce({ id: 'second', preferredChain: 'Fake Root A' }))).toBe('CN=Fake Root A');
    expect(ca.requests.filter(({ path }) => path.endsWith('/1'))).toHaveLength(1);
    expect(rootOf(await obtainOnce({ id: 'third', preferredChain: 'No Such Root' }))).toBe('CN=Fake Root A');
  });

  it('is not confused by a certificate that was stored but whose order was not discarded', async () => {
    const first = await obtainOnce();
    // The process died here, and the certificate is up for renewal.
    const second = await obtainOnce({ replaces: ariCertId(first.chain) });
    expect(second.chain).not.toBe(first.chain);
    expect(ca.certificates).toHaveLength(2);
  });
});

describe('62: badNonce', () => {
  it('is answered by the same request with a fresh nonce, ten times at most', async () => {
    replyFirst('newOrder', 10, () => problem(400, 'badNonce', 'stale'));
    await obtainOnce();
    expect(ca.count('newOrder')).toBe(11);
    expect(ca.orders).toHaveLength(1);
    expect(setup.clock.waits).toEqual([]);
  });

  it('ends when it never stops', async () => {
    replyFirst('newOrder', Infinity, () => problem(400, 'badNonce', 'stale'));
    expect(await problemOf(obtainOnce())).toMatchObject({ type: 'badNonce', status: 400 });
    expect(ca.count('newOrder')).toBe(11);
    expect(await storedOrder()).toMatchObject({ orderUrl: null });
  });

  it('does not come up by itself: the nonce of each answer is used for the next request', async () => {
    await obtainOnce();
    expect(ca.count('newNonce')).toBeLessThan(4);
  });
});

describe('63 and 64: Retry-After', () => {
  const busy = (retryAfter: string): CaReply => problem(503, 'serverInternal', 'busy', { 'retry-after': retryAfter });

  it.each([
    ['seconds', '7', 7000],
    ['zero', '0', 500],
  ])('in %s is waited for when it is short', async (_name, value, waited) => {
    replyFirst('newOrder', 1, () => busy(value));
    await obtainOnce();
    expect(setup.clock.waits).toEqual([waited]);
  });

  it('as a date is waited for when it is near', async () => {
    replyFirst('newOrder', 1, () => busy(new Date(Date.now() + 25_000).toUTCString()));
    await obtainOnce();
    expect(setup.clock.waited).toBeGreaterThan(500);
    expect(setup.clock.waited).toBeLessThanOrEqual(25_000);
  });

  it.each([
    ['huge', '99999999999', 7 * 24 * 3_600_000],
    ['an hour', '3600', 3_600_000],
    ['negative', '-5', null],
    ['no number', 'soon', null],
  ])(
    'that is %s is handed to the caller, within bounds, and never slept through',
    async (_name, value, retryAfterMs) => {
      replyFirst('newOrder', Infinity, () => busy(value));
      expect(await problemOf(obtainOnce())).toMatchObject({ status: 503, retryAfterMs });
      expect(setup.clock.waits).toEqual([]);
      expect(ca.count('newOrder')).toBe(1);
    },
  );

  it('comes with rateLimited to the caller', async () => {
    replyFirst('newOrder', Infinity, () =>
      problem(429, 'rateLimited', 'too many certificates (5)', { 'retry-after': '122400' }),
    );
    const error = await problemOf(obtainOnce());
    expect(error).toMatchObject({ type: 'rateLimited', status: 429, retryAfterMs: 122_400_000 });
    expect(error.message).toContain('too many certificates (5)');
    expect(error.fix).toMatch(/^Wait/);
    expect(ca.count('newOrder')).toBe(1);
  });

  it('is not waited for again and again', async () => {
    replyFirst('newOrder', Infinity, () => busy('1'));
    expect(await problemOf(obtainOnce())).toMatchObject({ status: 503 });
    expect(ca.count('newOrder')).toBe(4);
  });

  it('without one, a server error is met again only where asking twice changes nothing', async () => {
    replyFirst('order', 2, () => ({
      status: 502,
      headers: { 'content-type': 'text/html' },
      body: '<html>Bad gateway',
    }));
    await obtainOnce();
    expect(setup.clock.waits).toEqual([1000, 3000]);
    replyFirst('newOrder', Infinity, () => ({ status: 500, body: '' }));
    const error = await problemOf(obtainOnce({ id: 'other' }));
    expect(error).toMatchObject({ type: 'serverInternal', status: 500 });
    expect(error.message).toContain('HTTP status 500');
  });
});

describe('65 and 66: an order that takes its time', () => {
  it('is polled through ten minutes of processing, at the pace that the authority asks for', async () => {
    await begin({ processingPolls: 40 });
    ca.faults.after = (request, reply) =>
      request.kind === 'order' || request.kind === 'finalize'
        ? { ...reply, headers: { ...reply.headers, 'retry-after': '15' } }
        : reply;
    await obtainOnce();
    expect(setup.clock.waited).toBeGreaterThanOrEqual(38 * 15_000);
    expect(Math.max(...setup.clock.waits)).toBe(15_000);
  });

  it('is not polled at whatever pace the authority names: a minute at most, half a second at least', async () => {
    await begin({ processingPolls: 2 });
    const asked = ['99999999', '0', '-1', 'soon'];
    ca.faults.after = (request, reply) => {
      const isPolled = request.kind === 'order' && ca.certificates.length > 0;
      return isPolled ? { ...reply, headers: { ...reply.headers, 'retry-after': asked.shift() ?? '' } } : reply;
    };
    await obtainOnce();
    expect(setup.clock.waits).toEqual([60_000]);
  });

  it('is given up after a bounded time, kept, and downloaded the next time without a second order', async () => {
    await begin({ processingPolls: 100_000 });
    expect(await failure(obtainOnce())).toMatchObject({ code: 'ACME_ORDER_STUCK' });
    expect(setup.clock.waited).toBeLessThanOrEqual(20 * 60_000);
    expect(Math.max(...setup.clock.waits)).toBeLessThanOrEqual(10_000);
    for (const order of ca.orders) order.processing = 0;
    await obtainOnce();
    expect(ca.orders).toHaveLength(1);
    expect(ca.certificates).toHaveLength(1);
  });

  it('is not taken for issued while it is `ready` after it was finalized', async () => {
    let seen = 0;
    ca.faults.after = (request, reply) => {
      const isAfter = ca.certificates.length > 0 && (request.kind === 'order' || request.kind === 'finalize');
      if (!isAfter || seen === 4) return reply;
      seen += 1;
      const { certificate: _certificate, ...body } = reply.body as Record<string, unknown>;
      return { ...reply, body: { ...body, status: 'ready' } };
    };
    await obtainOnce();
    expect(seen).toBe(4);
    expect(ca.count('finalize')).toBe(1);
    expect(ca.certificates).toHaveLength(1);
  });

  it('that says orderNotReady is asked for again', async () => {
    replyFirst('finalize', 1, () => problem(403, 'orderNotReady', 'not yet'));
    await obtainOnce();
    expect(ca.count('finalize')).toBe(2);
  });

  it('that becomes invalid after it was finalized is not repeated, and its problem is thrown', async () => {
    ca.faults.after = (request, reply) => {
      if (request.kind !== 'finalize') return reply;
      const caa = {
        type: 'urn:ietf:params:acme:error:caa',
        detail: 'CAA forbids it',
        subproblems: [
          {
            type: 'urn:ietf:params:acme:error:caa',
            detail: 'forbidden',
            identifier: { type: 'dns', value: 'example.com' },
          },
        ],
      };
      return { status: 200, body: { ...(reply.body as object), status: 'invalid', error: caa } };
    };
    const error = await problemOf(obtainOnce());
    expect(error).toMatchObject({ type: 'caa', identifier: { value: 'example.com' }, subproblems: [{ type: 'caa' }] });
    expect(error.fix).toContain('CAA record');
    expect(ca.orders).toHaveLength(1);
    expect(await storedOrder()).toBeNull();
  });
});

describe('67: authorizations that are lost', () => {
  it.each(['deactivated', 'expired', 'revoked'])('%s: a fresh order is placed, once', async (status) => {
    let times = 1;
    ca.faults.after = (request, reply) => {
      if (request.kind !== 'authz' || times === 0) return reply;
      times -= 1;
      return { ...reply, body: { ...(reply.body as object), status } };
    };
    // The fake CA gives the same order back as long as it is pending.
    ca.faults.before = (request) => {
      if (request.kind === 'newOrder') for (const order of ca.orders) order.status = 'invalid';
      return null;
    };
    await obtainOnce();
    expect(ca.orders).toHaveLength(2);
  });

  it('again and again: it ends', async () => {
    ca.faults.after = (request, reply) =>
      request.kind === 'authz' ? { ...reply, body: { ...(reply.body as object), status: 'deactivated' } } : reply;
    const error = await problemOf(obtainOnce());
    expect(error.detail).toBe('the authorization is deactivated');
    expect(ca.count('newOrder')).toBe(2);
    expect(await storedOrder()).toBeNull();
  });

  it('a stored order that the authority no longer has is replaced', async () => {
    ca.faults.before = (request) => (request.kind === 'finalize' ? problem(500, 'serverInternal', 'down') : null);
    await failure(obtainOnce());
    ca.orders = [];
    ca.faults.before = () => null;
    await obtainOnce();
    expect(ca.orders).toHaveLength(1);
    expect(ca.certificates).toHaveLength(1);
  });

  it('a stored order that is invalid by now is replaced', async () => {
    ca.faults.before = (request) => (request.kind === 'finalize' ? problem(500, 'serverInternal', 'down') : null);
    await failure(obtainOnce());
    for (const order of ca.orders) order.status = 'invalid';
    ca.faults.before = () => null;
    await obtainOnce();
    expect(ca.orders.map(({ status }) => status)).toEqual(['invalid', 'valid']);
  });
});

describe('68: chains that are refused', () => {
  const text = (body: string): CaReply => ({
    status: 200,
    headers: { 'content-type': 'application/pem-certificate-chain' },
    body,
  });
  const send = (
    make: (key: Awaited<ReturnType<typeof generateKeys>>['publicKey']) => Promise<string> | string,
  ): void => {
    ca.faults.after = async (request, reply) => {
      if (request.kind !== 'certificate') return reply;
      return text(await make((await generateKeys()).publicKey));
    };
  };
  const intermediate = (): string => ca.signer.intermediates.get('Fake Root A') ?? '';

  it.each<[string, () => void, RegExp]>([
    ['without its leaf', () => send(() => intermediate()), /does not belong/],
    [
      'of another key',
      () =>
        send(async (publicKey) => (await ca.signer.sign({ names: ['example.com'], publicKey })).pem + intermediate()),
      /does not belong/,
    ],
    [
      'of another intermediate',
      () => send(() => (ca.certificates[0]?.leaf ?? '') + (ca.certificates[0]?.leaf ?? '')),
      /out of order/,
    ],
    ['that is a web page', () => send(() => '<html>'), /no "BEGIN CERTIFICATE" block/],
    [
      'that is a bundle',
      () => send(() => (ca.certificates[0]?.leaf ?? '') + intermediate().repeat(20)),
      /a bundle and not a chain/,
    ],
  ])('%s', async (_name, arrange, message) => {
    arrange();
    const error = await failure(obtainOnce());
    expect(error).toMatchObject({ code: 'ACME_CHAIN_REFUSED' });
    expect(error.message).toMatch(message);
    expect(await storedOrder()).toBeNull();
  });

  it('that lacks a name', async () => {
    const { signer } = ca;
    const sign = signer.sign.bind(signer);
    signer.sign = (options) => sign({ ...options, names: options.names.slice(0, 1) });
    const error = await failure(obtainOnce({}, ['example.com', 'matrix.example.com']));
    expect(error.message).toContain('does not cover matrix.example.com');
  });

  it('that is expired; it is kept, because it may be the clock', async () => {
    const { signer } = ca;
    const sign = signer.sign.bind(signer);
    signer.sign = (options) => sign({ ...options, notBefore: Date.now() - 3_600_000, notAfter: Date.now() - 60_000 });
    expect(await failure(obtainOnce())).toMatchObject({ code: 'ACME_CHAIN_DATES' });
    expect(await storedOrder()).toMatchObject({ orderUrl: ca.orders[0]?.url });
  });

  it('of a megabyte, without reading it all', async () => {
    send(() => `${'x'.repeat(80)}\n`.repeat(13_000));
    const error = await failure(obtainOnce());
    expect(error).toMatchObject({ code: 'ACME_RESPONSE_INVALID' });
    expect(error.message).toContain('larger than 262144 bytes');
  });

  it.each<[string, () => CaReply]>([
    ['bad', () => text(ca.signer.intermediates.get('Fake Root B') ?? '')],
    ['not there', () => problem(404, 'malformed', 'gone')],
  ])('an alternate chain that is %s is passed over for the default', async (_name, make) => {
    ca.faults.after = (request, reply) => (request.path.endsWith('/1') ? make() : reply);
    const { chain, key } = await obtainOnce({ preferredChain: 'Fake Root B' });
    expect(parseCertificate(chain, key, 'acme').names).toEqual(['example.com']);
  });
});

describe('69 and 79: challenges', () => {
  const withChallenges = (challenges: readonly object[]): void => {
    ca.faults.after = (request, reply) => {
      if (request.kind !== 'authz') return reply;
      const body = reply.body as { challenges: object[] };
      return { ...reply, body: { ...body, challenges: [...challenges, ...body.challenges] } };
    };
  };

  it('of unknown type, without token or without URL are passed over', async () => {
    withChallenges([
      { type: 'dns-persist-02', url: 'https://127.0.0.1/x', status: 'pending' },
      { type: 'http-01', url: 'https://127.0.0.1/x', status: 'pending' },
      { type: 'http-01', token: 'abcdefghijklmnopqrstuvwx', status: 'pending' },
      { type: 'dns-persist-01', url: 'https://127.0.0.1/x' },
      { type: 7 },
    ]);
    await obtainOnce();
    expect(setup.http.presented).toHaveLength(1);
  });

  it.each([
    ['../../../etc/passwd-aaaaaaaaa'],
    ['a/b'.repeat(10)],
    ['x'.repeat(10_240)],
    [''],
    ['tokenwith%2e%2eescapes'],
    ['line\nfeed-aaaaaaaaaaaaaaaaa'],
  ])('with a token like %j never reach a solver', async (token) => {
    await begin({ challenges: [] });
    withChallenges([{ type: 'http-01', url: 'https://127.0.0.1/x', token, status: 'pending' }]);
    const error = await failure(obtainOnce());
    expect(error).toMatchObject({ code: 'ACME_CHALLENGE_NOT_OFFERED' });
    expect(error.message).toContain('none that Portico knows');
    expect(setup.http.presented).toHaveLength(0);
  });

  it('of dns-persist-01 come without token and with the names of the issuer', async () => {
    const tasks: unknown[] = [];
    withChallenges([
      {
        type: 'dns-persist-01',
        url: 'https://127.0.0.1/x',
        status: 'pending',
        'issuer-domain-names': ['ca.example', 7],
      },
    ]);
    const client = await setup.open();
    const persist = {
      type: 'dns-persist-01' as const,
      present: async (task: unknown) => {
        tasks.push(task);
        throw new PorticoError('ACME_CHALLENGE_TEST', 'seen');
      },
      cleanUp: async () => {},
    };
    const challenges = new Map<string, ChallengeType[]>([['example.com', ['dns-persist-01']]]);
    await failure(
      obtain(requestFor(['example.com'], { challenges }), { ...setup.deps(client), solvers: [persist] }, soon()),
    );
    expect(tasks).toMatchObject([
      { token: '', keyAuthorization: '', accountUri: client.accountUri, issuerDomainNames: ['ca.example'] },
    ]);
  });

  it('a wildcard is asked for by the name below it', async () => {
    await obtainOnce({ challenges: new Map([['*.example.com', ['dns-01']]]) }, ['*.example.com']);
    expect(setup.dns.presented).toMatchObject([{ identifier: { value: 'example.com' }, wildcard: true }]);
  });

  it('that were started before a crash are not started again', async () => {
    ca.faults.before = (request) => (request.kind === 'order' ? problem(500, 'serverInternal', 'down') : null);
    await failure(obtainOnce());
    ca.faults.before = () => null;
    ca.faults.after = (request, reply) => {
      if (request.kind !== 'authz' || request.count > 3) return reply;
      const body = reply.body as { challenges: object[] };
      return {
        ...reply,
        body: {
          ...body,
          status: 'pending',
          challenges: body.challenges.map((one) => ({ ...one, status: 'processing' })),
        },
      };
    };
    const started = ca.count('challenge');
    await obtainOnce();
    expect(ca.count('challenge')).toBe(started);
  });
});

describe('70: an account that the authority has lost', () => {
  it('is made again once, with the old key kept aside', async () => {
    const client = await setup.open();
    const before = await storedAccount();
    ca.accounts = [];
    await obtain(requestFor(['example.com']), setup.deps(client), soon());
    const after = await storedAccount();
    expect(after.key).not.toBe(before.key);
    expect(after.url).toBe(ca.accounts[0]?.url);
    expect(client.accountUri).toBe(after.url);
    const [aside] = (await setup.store.list(`acme/${setup.issuer.id}`)).filter((key) => key.includes('account-lost-'));
    expect(JSON.parse((await setup.store.get(aside ?? 'a/b'))?.toString() ?? '{}')).toMatchObject({
      key: before.key,
      url: before.url,
    });
  });

  it('is not made again and again', async () => {
    const client = await setup.open();
    replyFirst('newOrder', Infinity, () => problem(400, 'accountDoesNotExist', 'who?'));
    expect(await problemOf(obtain(requestFor(['example.com']), setup.deps(client), soon()))).toMatchObject({
      type: 'accountDoesNotExist',
    });
    expect(await problemOf(obtain(requestFor(['example.com']), setup.deps(client), soon()))).toMatchObject({
      type: 'accountDoesNotExist',
    });
    expect(ca.accounts).toHaveLength(2);
  });

  it('takes its orders with it: they are placed anew', async () => {
    ca.faults.before = (request) => (request.kind === 'finalize' ? problem(500, 'serverInternal', 'down') : null);
    await failure(obtainOnce());
    ca.accounts = [];
    ca.faults.before = () => null;
    await obtainOnce();
    expect(ca.accounts).toHaveLength(1);
    expect(ca.certificates).toHaveLength(1);
  });

  it('is made once by several orders at the same time', async () => {
    const client = await setup.open();
    ca.accounts = [];
    await Promise.all(
      ['a', 'b', 'c'].map((id) => obtain(requestFor([`${id}.example.com`], { id }), setup.deps(client), soon())),
    );
    expect(ca.accounts).toHaveLength(1);
    expect(ca.certificates).toHaveLength(3);
  });
});

describe('the account', () => {
  it('is made once and stored before it is used', async () => {
    const keys: unknown[] = [];
    ca.faults.before = async (request) => {
      if (request.kind === 'newAccount') keys.push((await storedAccount()).key);
      return null;
    };
    await setup.open();
    await setup.open();
    expect(keys).toEqual([(await storedAccount()).key]);
    expect(ca.accounts).toHaveLength(1);
  });

  it('of which the answer was lost is found by its key', async () => {
    ca.faults.after = (request, reply) =>
      request.kind === 'newAccount' ? problem(500, 'serverInternal', 'lost') : reply;
    await failure(setup.open());
    ca.faults.after = (_request, reply) => reply;
    await setup.open();
    expect(ca.accounts).toHaveLength(1);
  });

  it('has the contact that the config says, also later', async () => {
    setup = await orderSetup(ca, { issuer: { email: 'one@example.com' } });
    await setup.open();
    setup = await orderSetup(ca, { store: setup.store, issuer: { email: 'two@example.com' } });
    await setup.open();
    await setup.open();
    expect(ca.accounts.map(({ contact }) => contact)).toEqual([['mailto:two@example.com']]);
    expect(ca.count('account')).toBe(1);
  });

  it('is bound to an external one where that is required', async () => {
    const eab = { kid: 'kid-1', hmacKey: Buffer.from('a secret of thirty-two bytes....') };
    await begin({ eab });
    const refused = await problemOf(setup.open());
    expect(refused).toMatchObject({ type: 'externalAccountRequired', status: 403 });
    expect(refused.fix).toContain('acme.eab');
    setup = await orderSetup(ca, { issuer: { eab } });
    await obtainOnce();
    expect(ca.certificates).toHaveLength(1);
  });

  it('gets a new key by roll-over, and the old one is worth nothing then', async () => {
    const client = await setup.open();
    const before = await storedAccount();
    await client.keyRollover(soon());
    expect(await storedAccount()).toMatchObject({ url: before.url, pendingKey: null });
    expect((await storedAccount()).key).not.toBe(before.key);
    await obtain(requestFor(['example.com']), setup.deps(client), soon());
    expect(ca.accounts).toHaveLength(1);
  });

  it.each([
    ['before the authority took the new key', 'before'],
    ['after the authority took the new key', 'after'],
  ] as const)('is usable when roll-over is cut short %s', async (_name, when) => {
    const client = await setup.open();
    const fault = (request: CaRequest): CaReply | null =>
      request.kind === 'keyChange' ? problem(500, 'serverInternal', 'cut') : null;
    if (when === 'before') ca.faults.before = fault;
    else ca.faults.after = (request, reply) => fault(request) ?? reply;
    await failure(client.keyRollover(soon()));
    expect((await storedAccount()).pendingKey).not.toBeNull();
    ca.faults.before = () => null;
    ca.faults.after = (_request, reply) => reply;
    await obtainOnce();
    expect((await storedAccount()).pendingKey).toBeNull();
    expect(ca.accounts).toHaveLength(1);
  });

  it('that is damaged in the store is not silently replaced', async () => {
    await setup.store.put(`acme/${setup.issuer.id}/account.json`, '{"version":1}');
    expect(await failure(setup.open())).toMatchObject({ code: 'ACME_ACCOUNT_BROKEN' });
    expect(ca.accounts).toHaveLength(0);
  });
});

describe('71: renewal information', () => {
  const ari = async (reply?: CaReply): Promise<unknown> => {
    const client = await setup.open();
    const { chain } = await obtain(requestFor(['example.com']), setup.deps(client), soon());
    if (reply) ca.faults.before = (request) => (request.kind === 'renewalInfo' ? reply : null);
    return client.renewalInfo(ariCertId(chain) ?? '', soon());
  };
  const window = (suggestedWindow: object, retryAfter = '21600'): CaReply => ({
    status: 200,
    headers: { 'retry-after': retryAfter },
    body: { suggestedWindow, explanationURL: 'https://ca.example/why' },
  });

  it('is read for a certificate with a serial number that begins with a zero byte', async () => {
    expect(await ari()).toMatchObject({ retryAfterMs: 21_600_000, explanationUrl: null });
    expect(ca.count('renewalInfo')).toBe(1);
  });

  it('is null when the authority does not know the certificate', async () => {
    expect(await ari(problem(404, 'malformed', 'who?'))).toBeNull();
  });

  it('is handed on unjudged when its window is in the past, with Retry-After 0', async () => {
    const past = { start: '2020-01-02T03:04:05Z', end: '2020-01-02T03:04:05.5+01:00' };
    expect(await ari(window(past, '0'))).toMatchObject({
      start: Date.UTC(2020, 0, 2, 3, 4, 5),
      end: Date.UTC(2020, 0, 2, 2, 4, 5, 500),
      retryAfterMs: 0,
      explanationUrl: 'https://ca.example/why',
    });
  });

  it.each([
    ['a web page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['no window', window({})],
    ['a number for a date', window({ start: 1, end: 2 })],
    ['a date that is none', window({ start: '2026-13-45T00:00:00Z', end: '2026-13-46T00:00:00Z' })],
    ['null', { status: 200, body: null }],
  ] as [string, CaReply][])('is refused when it is %s', async (_name, reply) => {
    expect(await failure(ari(reply))).toMatchObject({ code: 'ACME_ARI_INVALID' });
  });

  it('is null where the directory has none, without a request', async () => {
    ca.faults.after = (request, reply) => {
      if (request.kind !== 'directory') return reply;
      const { renewalInfo: _renewalInfo, ...body } = reply.body as Record<string, unknown>;
      return { ...reply, body };
    };
    expect(await ari()).toBeNull();
    expect(ca.count('renewalInfo')).toBe(0);
  });
});

describe('72: replaces', () => {
  const renew = async (): Promise<OrderResult> => {
    const first = await obtainOnce();
    await discardOrder(setup.issuer.id, 'example', setup.store);
    return obtainOnce({ replaces: ariCertId(first.chain) });
  };

  it('is sent', async () => {
    expect(await renew()).toMatchObject({ droppedReplaces: false });
    expect(ca.certificates[0]?.replacedBy).toBe(ca.orders[1]?.url);
  });

  it('is dropped once when the certificate is replaced already', async () => {
    ca.faults.before = (request) => {
      if (request.kind === 'newOrder')
        for (const certificate of ca.certificates) certificate.replacedBy ??= 'another order';
      return null;
    };
    expect(await renew()).toMatchObject({ droppedReplaces: true });
    expect(setup.steps.find(({ step }) => step === 'replaces-dropped')?.error).toMatchObject({
      type: 'alreadyReplaced',
    });
    expect(ca.orders[1]?.replaces).toBeNull();
  });

  it('is dropped when the authority never heard of the certificate', async () => {
    expect(await obtainOnce({ replaces: 'AAAA.BBBB' })).toMatchObject({ droppedReplaces: true });
  });

  it('is not dropped for a refusal that has nothing to do with it', async () => {
    replyFirst('newOrder', Infinity, () => problem(429, 'rateLimited', 'slow down', { 'retry-after': '86400' }));
    expect(await problemOf(obtainOnce({ replaces: 'AAAA.BBBB' }))).toMatchObject({ type: 'rateLimited' });
    expect(ca.count('newOrder')).toBe(1);
  });
});

describe('73: a directory that is none', () => {
  const directory = (reply: CaReply): void => {
    ca.faults.before = (request) => (request.kind === 'directory' ? reply : null);
  };

  it.each<[string, CaReply, RegExp]>([
    [
      'a web page',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html>' },
      /it is a web page/,
    ],
    [
      'a redirect',
      { status: 301, headers: { location: 'https://elsewhere.example/dir' }, body: '' },
      /redirects to "https:\/\/elsewhere/,
    ],
    ['not found', { status: 404, body: 'no' }, /HTTP status 404/],
    ['JSON of something else', { status: 200, body: { hello: 1 } }, /no https address for newNonce/],
    [
      'plain HTTP',
      {
        status: 200,
        body: { newNonce: 'http://127.0.0.1/', newAccount: 'http://127.0.0.1/', newOrder: 'http://127.0.0.1/' },
      },
      /no https address/,
    ],
    ['a list', { status: 200, body: [] }, /not a JSON object/],
  ])('%s is refused and said', async (_name, reply, message) => {
    directory(reply);
    const error = await failure(setup.open());
    expect(error).toMatchObject({ code: 'ACME_DIRECTORY_INVALID' });
    expect(error.message).toMatch(message);
    expect(error.fix).toContain('acme.directory');
    expect(ca.count('newAccount')).toBe(0);
  });

  it('slow is given up', async () => {
    ca.faults.before = (request) => (request.kind === 'directory' ? new Promise(() => {}) : null);
    const error = await failure(setup.open({ limits: { requestMs: 100, responseBytes: 1000 } }));
    expect(error).toMatchObject({ code: 'ACME_UNREACHABLE' });
    expect(error.message).toContain('within 0.1 s');
    expect(setup.clock.waits).toEqual([1000, 3000, 9000]);
  });

  it('whose certificate is not trusted names the setting that helps', async () => {
    setup = await orderSetup(ca, { issuer: { caPem: null } });
    const error = await failure(setup.open());
    expect(error).toMatchObject({ code: 'ACME_UNREACHABLE' });
    expect(error.fix).toContain('acme.ca_file');
  });

  it('where nobody listens', async () => {
    const { directoryUrl } = ca;
    await ca.close();
    const error = await failure(setup.open());
    expect(error.fix).toContain(new URL(directoryUrl).port);
    ca = await FakeCa.start();
  });

  it('a call that is aborted ends at once', async () => {
    const abort = new AbortController();
    ca.faults.before = (request) => {
      if (request.kind !== 'newOrder') return null;
      abort.abort();
      return new Promise(() => {});
    };
    const client = await setup.open();
    const running = obtain(requestFor(['example.com']), setup.deps(client), abort.signal);
    expect(await failure(running)).toMatchObject({ code: 'ACME_ABORTED' });
  });
});

describe('74: profiles', () => {
  it('are sent, come back, and are known by name', async () => {
    await begin({ profiles: { classic: 'the usual', shortlived: 'six days' } });
    const client = await setup.open();
    expect(client.profiles()).toEqual(['classic', 'shortlived']);
    const result = await obtain(requestFor(['example.com'], { profile: 'shortlived' }), setup.deps(client), soon());
    expect(result.profile).toBe('shortlived');
    expect(ca.orders[0]?.profile).toBe('shortlived');
  });

  it('that vanished from the directory are not ordered, and those that are there are named', async () => {
    await begin({ profiles: { classic: 'the usual' } });
    const error = await failure(obtainOnce({ profile: 'shortlived' }));
    expect(error).toMatchObject({ code: 'ACME_PROFILE_UNKNOWN' });
    expect(error.message).toContain('it offers classic');
    expect(ca.count('newOrder')).toBe(0);
  });

  it('are read again after an hour', async () => {
    await begin({ profiles: { classic: 'the usual' } });
    const client = await setup.open();
    ca.faults.after = (request, reply) =>
      request.kind === 'directory' ? { ...reply, body: { ...(reply.body as object), meta: {} } } : reply;
    await setup.clock.pause(3_700_000, soon());
    const error = await failure(
      obtain(requestFor(['example.com'], { profile: 'classic' }), setup.deps(client), soon()),
    );
    expect(error.message).toContain('it offers none');
  });
});

describe('76: the store', () => {
  it.each([
    ['the key, before anything is ordered', 1, 0],
    ['the URL of the order', 2, 1],
  ])('that fails at %s ends the order, and the next try gets the one certificate', async (_name, failing, orders) => {
    const client = await setup.open();
    const put = setup.store.put.bind(setup.store);
    let puts = 0;
    setup.store.put = async (key, value) => {
      puts += 1;
      if (puts === failing) throw new PorticoError('STORE_UNWRITABLE', 'No space left on device.');
      await put(key, value);
    };
    expect(await failure(obtain(requestFor(['example.com']), setup.deps(client), soon()))).toMatchObject({
      code: 'STORE_UNWRITABLE',
    });
    expect(ca.orders).toHaveLength(orders);
    await obtain(requestFor(['example.com']), setup.deps(client), soon());
    expect(ca.orders).toHaveLength(1);
    expect(ca.certificates).toHaveLength(1);
  });

  it('with a damaged order is as one without it', async () => {
    await setup.store.put(`acme/${setup.issuer.id}/orders/example.json`, '{"version":1,"key":');
    await obtainOnce();
    expect(ca.certificates).toHaveLength(1);
  });

  it('with an order for something else places the one that is wanted', async () => {
    ca.faults.before = (request) => (request.kind === 'finalize' ? problem(500, 'serverInternal', 'down') : null);
    await failure(obtainOnce());
    ca.faults.before = () => null;
    const { chain, key } = await obtainOnce({}, ['example.com', 'matrix.example.com']);
    expect(parseCertificate(chain, key, 'acme').names).toHaveLength(2);
  });
});

describe('77: a clock that jumps', () => {
  it.each([-2, 2])('by %i days: a received certificate is judged by it, but not lost', async (days) => {
    const client = await setup.open();
    const { clock } = setup;
    const jumped = { now: () => clock.now() + days * 86_400_000, monotonic: () => clock.monotonic() };
    const attempt = obtain(requestFor(['example.com']), { ...setup.deps(client), clock: jumped }, soon());
    if (days < 0) {
      const error = await failure(attempt);
      expect(error).toMatchObject({ code: 'ACME_CHAIN_DATES' });
      expect(error.fix).toContain('clock');
      await obtain(requestFor(['example.com']), setup.deps(client), soon());
    } else await attempt;
    expect(ca.orders).toHaveLength(1);
  });
});

describe('a probe at the staging environment', () => {
  it('leaves nothing in the store, and throws what the order met', async () => {
    const client = await setup.open();
    await probeStaging(requestFor(['example.com'], { profile: 'shortlived' }), setup.deps(client), soon());
    expect(await storedOrder()).toBeNull();
    ca.faults.validate = () => ({ type: 'connection', detail: 'closed' });
    await discardOrder(setup.issuer.id, 'example', setup.store);
    const probe = probeStaging(requestFor(['other.example.com']), setup.deps(client), soon());
    expect(await problemOf(probe)).toMatchObject({ type: 'connection' });
  });
});
