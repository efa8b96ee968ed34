/** dns-01 with signed updates of a real zone, and what its servers say to whoever asks them. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dns01Solver, dns01Value, type Dns01Options } from '../../src/acme/challenges/dns-01.ts';
import { dnsPersist01Solver } from '../../src/acme/challenges/dns-persist-01.ts';
import { rfc2136Provider } from '../../src/acme/challenges/providers/rfc2136.ts';
import type { ChallengeTask } from '../../src/acme/challenge.ts';
import { systemClock } from '../../src/base/clock.ts';
import { codeOf, PorticoError } from '../../src/base/errors.ts';
import { createStubClient } from '../../src/dns/stub-client.ts';
import { startDnsServer } from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { describePeers } from './harness/describe-peers.ts';
import { startKnot, type Knot, type KnotKey } from './harness/knot.ts';

/** Two name servers: Knot, and one of the tests' own at another address; a third of a family that nobody listens on. */
const TWO_SERVERS = `
@ 60 IN SOA ns1 h 1 3600 600 86400 1
@ 60 IN NS ns1
@ 60 IN NS ns2
ns1 60 IN A 127.0.0.1
ns1 60 IN AAAA ::1
ns2 60 IN A 127.0.0.2
`;
const ZONE = `
_acme-challenge.given 60 IN CNAME given.acme.elsewhere.test.
_acme-challenge.chain 60 IN CNAME hop
hop 60 IN CNAME chain.acme.elsewhere.test.
_acme-challenge.round 60 IN CNAME _acme-challenge.round
_acme-challenge.nowhere 60 IN CNAME x.example.org.
`;

let knot: Knot;

function provider(key: KnotKey = knot.keys['hmac-sha256'], server = knot.server) {
  const { name: keyName, algorithm, secret } = key;
  return rfc2136Provider(
    { server, keyName, algorithm, secret: () => Promise.resolve(`${secret}\n`) },
    { random: randomBytes, clock: systemClock, resolver: resolver() },
  );
}

function resolver() {
  return createStubClient({ servers: [knot.server], random: randomBytes, timeoutMs: 10_000 });
}

function solver(options: Partial<Dns01Options> = {}) {
  return dns01Solver({
    provider: provider(),
    resolver: resolver(),
    checkers: [],
    random: randomBytes,
    patienceMs: 60_000,
    authoritativePort: knot.server.port,
    ...options,
  });
}

function taskFor(name: string, { wildcard = false, token = randomBytes(8).toString('hex') } = {}): ChallengeTask {
  return {
    type: 'dns-01',
    identifier: { type: 'dns', value: name },
    wildcard,
    token,
    keyAuthorization: `${token}.thumbprint`,
    accountUri: 'https://ca.test/acct/1',
    issuerDomainNames: ['ca.test'],
  };
}

const signal = (): AbortSignal => new AbortController().signal;
const quoted = (...tasks: ChallengeTask[]): string[] =>
  tasks.map((task) => `"${dns01Value(task.keyAuthorization)}"`).toSorted();
const valuesAt = async (name: string): Promise<string[]> => (await knot.ask(name, 'TXT')).toSorted();

describePeers(['knot'], 'DNS challenges with Knot', () => {
  beforeAll(async () => {
    knot = await startKnot({ 'example.test': ZONE, 'elsewhere.test': '', 'two.test': TWO_SERVERS });
  });
  afterAll(async () => {
    await knot.stop();
  });

  it('makes the record, visible when it says so, and takes it away', async () => {
    const task = taskFor('one.example.test');
    const dns01 = solver();
    await dns01.present(task, signal());
    expect(await valuesAt('_acme-challenge.one.example.test')).toEqual(quoted(task));
    await dns01.cleanUp(task);
    expect(await valuesAt('_acme-challenge.one.example.test')).toEqual([]);
  });

  it.each([
    ['given.example.test', 'given.acme.elsewhere.test'],
    ['chain.example.test', 'chain.acme.elsewhere.test'],
  ])('follows the delegation of %s into another zone', async (name, target) => {
    const task = taskFor(name);
    const dns01 = solver();
    await dns01.present(task, signal());
    expect(await valuesAt(target)).toEqual(quoted(task));
    await dns01.cleanUp(task);
    expect(await valuesAt(target)).toEqual([]);
  });

  it('keeps several values of one name apart: base and wildcard, and orders side by side', async () => {
    const tasks = [false, true, false].map((wildcard) => taskFor('both.example.test', { wildcard }));
    const dns01 = solver();
    await Promise.all(tasks.map((task) => dns01.present(task, signal())));
    expect(await valuesAt('_acme-challenge.both.example.test')).toEqual(quoted(...tasks));
    await dns01.cleanUp(tasks[1]!);
    expect(await valuesAt('_acme-challenge.both.example.test')).toEqual(quoted(tasks[0]!, tasks[2]!));
    await Promise.all([dns01.cleanUp(tasks[0]!), dns01.cleanUp(tasks[2]!)]);
    expect(await valuesAt('_acme-challenge.both.example.test')).toEqual([]);
  });

  it('leaves a value until the last of the orders that share its challenge is done', async () => {
    const task = taskFor('shared.example.test');
    const dns01 = solver();
    await Promise.all([dns01.present(task, signal()), dns01.present(task, signal())]);
    await dns01.cleanUp(task);
    expect(await valuesAt('_acme-challenge.shared.example.test')).toEqual(quoted(task));
    await dns01.cleanUp(task);
    expect(await valuesAt('_acme-challenge.shared.example.test')).toEqual([]);
  });

  it('takes away what a process that is gone has left', async () => {
    const task = taskFor('given.example.test');
    await solver().present(task, signal());
    await solver().cleanUp(task);
    expect(await valuesAt('given.acme.elsewhere.test')).toEqual([]);
  });

  describe('with a second name server', () => {
    it('waits until it has the value too, and is not kept by an address that nobody can reach', async () => {
      await using second = await startDnsServer([], '127.0.0.2', knot.server.port);
      const task = taskFor('two.test');
      let asked = 0;
      second.answer = ({ name, type }) => {
        if (name !== '_acme-challenge.two.test' || type !== 'TXT') return { rcode: 'REFUSED' };
        if (++asked < 3) return { rcode: 'NXDOMAIN' };
        return { answers: [{ name, type, ttl: 1, data: [dns01Value(task.keyAuthorization)] }] };
      };
      const dns01 = solver();
      await dns01.present(task, signal());
      expect(asked).toBe(3);
      await dns01.cleanUp(task);
    });

    it.each([
      ['is silent', null],
      ['fails', { rcode: 'SERVFAIL' }],
      ['does not have the zone', { notAuthoritative: true }],
    ] as const)('goes on without one that %s', async (_, answer) => {
      await using second = await startDnsServer([], '127.0.0.2', knot.server.port);
      second.answer = () => answer;
      const task = taskFor('silent.two.test');
      const dns01 = solver();
      await dns01.present(task, signal());
      expect(second.seen.length).toBeGreaterThan(1);
      await dns01.cleanUp(task);
    });

    it('gives up when it never has the value, says which one, and leaves nothing behind', async () => {
      await using second = await startDnsServer([], '127.0.0.2', knot.server.port);
      second.answer = () => ({ rcode: 'NXDOMAIN' });
      await expect(solver({ patienceMs: 1500 }).present(taskFor('never.two.test'), signal())).rejects.toMatchObject({
        code: 'ACME_CHALLENGE_DNS_PROPAGATION',
        message: expect.stringMatching(/127\.0\.0\.2:\d+ has no such name/),
      });
      expect(await valuesAt('_acme-challenge.never.two.test')).toEqual([]);
    });

    it('takes the value away when the order is given up in the meantime', async () => {
      await using second = await startDnsServer([], '127.0.0.2', knot.server.port);
      second.answer = () => ({ answers: [] });
      const controller = new AbortController();
      const reason = new Error('shutting down');
      const presenting = solver().present(taskFor('given-up.two.test'), controller.signal);
      const outcome = expect(presenting).rejects.toBe(reason);
      await eventually(async () => {
        expect(await valuesAt('_acme-challenge.given-up.two.test')).toHaveLength(1);
      });
      controller.abort(reason);
      await outcome;
      expect(await valuesAt('_acme-challenge.given-up.two.test')).toEqual([]);
    });

    it('asks the resolvers of the config instead when there are any', async () => {
      await using checker = await startDnsServer();
      const task = taskFor('given.example.test');
      const name = 'given.acme.elsewhere.test';
      const record = { name, type: 'TXT' as const, data: dns01Value(task.keyAuthorization) };
      checker.answer = () => ({ answers: checker.seen.length > 1 ? [record] : [] });
      const dns01 = solver({ checkers: [checker.server] });
      await dns01.present(task, signal());
      expect(checker.seen).toMatchObject([
        { name, type: 'TXT', recursionDesired: true },
        { name, type: 'TXT', recursionDesired: true },
      ]);
      await dns01.cleanUp(task);
    });
  });

  it('says what is wrong and with whose settings when the record cannot be made', async () => {
    /** What `present` rejects with: its code, that of the error underneath, message and fix. */
    const failure = async (options: Partial<Dns01Options>, name = 'bad.example.test') => {
      const error: unknown = await solver(options)
        .present(taskFor(name), signal())
        .then(
          () => null,
          (reason: unknown) => reason,
        );
      if (!(error instanceof PorticoError)) throw new Error('not a PorticoError', { cause: error });
      return { code: error.code, underneath: codeOf(error.cause), message: error.message, fix: error.fix };
    };
    const good = knot.keys['hmac-sha256'];
    expect(await failure({ provider: provider({ ...good, secret: 'AAAA' }) })).toMatchObject({
      code: 'ACME_CHALLENGE_DNS_RECORD',
      underneath: 'DNS_UPDATE_SIGNATURE',
      message: expect.stringMatching(/_acme-challenge\.bad\.example\.test could not be made: .*not with our secret/),
      fix: expect.stringMatching(/secret/),
    });
    expect(await failure({ provider: provider({ ...good, secret: '"AAAA"' }) })).toMatchObject({
      underneath: 'DNS_UPDATE_SECRET',
    });
    expect(await failure({ provider: provider({ ...good, name: 'stranger' }) })).toMatchObject({
      underneath: 'DNS_UPDATE_KEY',
    });
    const lookUp = 'ACME_CHALLENGE_DNS_LOOKUP';
    expect(await failure({}, 'round.example.test')).toMatchObject({ code: lookUp, underneath: 'DNS_ALIAS_LOOP' });
    expect(await failure({}, 'nowhere.example.test')).toMatchObject({ code: lookUp, underneath: 'DNS_SERVER_FAILURE' });
    const address = { ...taskFor('x'), identifier: { type: 'ip', value: '192.0.2.1' } } as const;
    await expect(solver().present(address, signal())).rejects.toMatchObject({ code: 'ACME_CHALLENGE_DNS_IP' });
    expect(await valuesAt('_acme-challenge.bad.example.test')).toEqual([]);
  });

  it('sets the record of dns-persist-01 once, finds it the next time, and leaves it', async () => {
    const task: ChallengeTask = {
      ...taskFor('stay.example.test'),
      type: 'dns-persist-01',
      token: '',
      keyAuthorization: '',
    };
    const persist = (withProvider: boolean) =>
      dnsPersist01Solver({
        provider: withProvider ? provider() : null,
        resolver: resolver(),
        checkers: [],
        clock: systemClock,
        random: randomBytes,
        patienceMs: 60_000,
        authoritativePort: knot.server.port,
      });
    await expect(persist(false).present(task, signal())).rejects.toMatchObject({
      code: 'ACME_CHALLENGE_DNS_PERSIST',
      fix: expect.stringContaining(
        '_validation-persist.stay.example.test. 3600 IN TXT "ca.test; accounturi=https://ca.test/acct/1"',
      ),
    });
    await persist(true).present(task, signal());
    await persist(true).cleanUp(task);
    await persist(false).present(task, signal());
    // A wildcard needs more, and gets a record of its own beside the first.
    await expect(persist(false).present({ ...task, wildcard: true }, signal())).rejects.toMatchObject({
      message: expect.stringMatching(/lacks policy=wildcard/),
    });
    await persist(true).present({ ...task, wildcard: true }, signal());
    expect(await valuesAt('_validation-persist.stay.example.test')).toEqual([
      '"ca.test; accounturi=https://ca.test/acct/1"',
      '"ca.test; accounturi=https://ca.test/acct/1; policy=wildcard"',
    ]);
  });
});
