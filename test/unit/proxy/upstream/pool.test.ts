import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadBuffers } from '../../../../src/proxy/read-buffers.ts';
import { UpstreamConnection, type UpstreamHandler } from '../../../../src/proxy/upstream/connection.ts';
import type { Dialler } from '../../../../src/proxy/upstream/dial.ts';
import { UpstreamPool, type PoolEvent, type PoolOptions, type Waiter } from '../../../../src/proxy/upstream/pool.ts';
import { AT_ONCE, FakeSocket } from './fake-socket.ts';

const means = { turn: AT_ONCE, buffers: new ReadBuffers() };

const REFUSED = new Error('connection refused');
const RESPONSE = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');

const HANDLER: UpstreamHandler = {
  onInformational: () => undefined,
  onResponseHead: () => undefined,
  onResponseData: () => undefined,
  onResponseEnd: () => undefined,
  onReadEnd: () => undefined,
  onUpstreamFailure: () => undefined,
  onUpstreamDrain: () => undefined,
};

/** An attempt to connect that the test decides. */
interface Dial {
  ready(): UpstreamConnection;
  fail(): void;
}

/** A pool with a dialler, a clock and sockets of the test's own. */
class Bench {
  now = 0;
  /** Attempts that are neither decided nor given up, oldest first. */
  readonly dials: Dial[] = [];
  readonly events: Record<PoolEvent, number> = { opened: 0, closed: 0, reused: 0, failed: 0 };
  readonly connections: UpstreamConnection[] = [];
  /** What the waiters heard, in order. */
  readonly heard: string[] = [];
  readonly got = new Map<string, UpstreamConnection>();
  readonly pool: UpstreamPool;

  constructor(options: Partial<PoolOptions> = {}) {
    this.pool = new UpstreamPool({
      dialler: this.dialler,
      clock: { now: () => 0, monotonic: () => this.now },
      maxIdle: 10,
      idleMs: 1000,
      maxConnections: 3,
      onEvent: (event) => this.events[event]++,
      onWait: () => this.waits++,
      onWaitOver: () => this.waits--,
      ...options,
    });
  }

  /** Waits under the cap that are not over. */
  waits = 0;

  readonly dialler: Dialler = {
    dial: (onReady, onFailure, onRelease) => {
      const settle = (): boolean => {
        const index = this.dials.indexOf(dial);
        if (index !== -1) this.dials.splice(index, 1);
        return index !== -1;
      };
      const dial: Dial = {
        ready: () => {
          expect(settle()).toBe(true);
          const connection = new UpstreamConnection(new FakeSocket().asSocket(), means, onRelease);
          this.connections.push(connection);
          onReady(connection);
          return connection;
        },
        fail: () => {
          expect(settle()).toBe(true);
          onFailure(REFUSED);
        },
      };
      this.dials.push(dial);
      return settle;
    },
  };

  /** A waiter that starts a request on what it gets. */
  waiter(name: string): Waiter {
    return {
      onConnection: (connection) => {
        expect(connection.isIdle).toBe(true);
        connection.start(HANDLER, 'GET', false);
        connection.requestSent();
        this.heard.push(name);
        this.got.set(name, connection);
      },
      onConnectFailure: (error) => {
        expect(error).toBe(REFUSED);
        this.heard.push(`${name} failed`);
      },
    };
  }

  wait(name: string): Waiter {
    const waiter = this.waiter(name);
    this.pool.wait(waiter);
    return waiter;
  }

  ready(): UpstreamConnection {
    const [dial] = this.dials;
    if (dial === undefined) throw new Error('nobody dials');
    return dial.ready();
  }

  fail(): void {
    const [dial] = this.dials;
    if (dial === undefined) throw new Error('nobody dials');
    dial.fail();
  }

  /** A connection whose request is answered. */
  answer(connection: UpstreamConnection | undefined): void {
    if (connection === undefined) throw new Error('no connection');
    connection.onRead(RESPONSE, RESPONSE.length);
  }

  /** An idle connection in the pool, made just for that. */
  idle(): UpstreamConnection {
    this.wait('first');
    const connection = this.ready();
    this.answer(connection);
    this.heard.length = 0;
    return connection;
  }

  get open(): number {
    return this.connections.filter((connection) => !(connection.socket as unknown as FakeSocket).destroyed).length;
  }
}

describe('UpstreamPool: idle connections', () => {
  it('has none to begin with', () => {
    expect(new Bench().pool.take()).toBeNull();
  });

  it('hands out the one that was used last', () => {
    const bench = new Bench();
    for (const name of ['a', 'b', 'c']) bench.wait(name);
    const [a, b, c] = [bench.ready(), bench.ready(), bench.ready()];
    for (const connection of [b, a, c]) bench.answer(connection);
    expect(bench.pool.take()).toBe(c);
    expect(bench.pool.take()).toBe(a);
    expect(bench.pool.take()).toBe(b);
    expect(bench.pool.take()).toBeNull();
    expect(bench.events).toEqual({ opened: 3, closed: 0, reused: 3, failed: 0 });
  });

  it('keeps no more than it may', () => {
    const bench = new Bench({ maxIdle: 1 });
    for (const name of ['a', 'b']) bench.wait(name);
    const [a, b] = [bench.ready(), bench.ready()];
    bench.answer(a);
    bench.answer(b);
    expect(bench.open).toBe(1);
    expect(bench.pool.take()).toBe(a);
    expect(bench.events).toMatchObject({ opened: 2, closed: 1 });
  });

  it('never hands out one that the upstream has closed', () => {
    const bench = new Bench();
    bench.idle().socket.emit('end');
    expect(bench.pool.take()).toBeNull();
    expect(bench.events).toMatchObject({ opened: 1, closed: 1 });
  });

  it('drops those that were idle too long, and only those', () => {
    const bench = new Bench();
    for (const name of ['a', 'b']) bench.wait(name);
    const [a, b] = [bench.ready(), bench.ready()];
    bench.answer(a);
    bench.now = 600;
    bench.answer(b);
    bench.now = 1000;
    bench.pool.sweep();
    expect(bench.open).toBe(2);
    bench.now = 1001;
    bench.pool.sweep();
    expect(bench.open).toBe(1);
    expect(bench.pool.take()).toBe(b);
    expect(bench.events).toMatchObject({ opened: 2, closed: 1 });
  });

  it('counts the time from the last use', () => {
    const bench = new Bench();
    const connection = bench.idle();
    bench.now = 900;
    expect(bench.pool.take()).toBe(connection);
    connection.start(HANDLER, 'GET', false);
    connection.requestSent();
    bench.now = 5000;
    bench.pool.sweep();
    bench.answer(connection);
    bench.now = 6000;
    bench.pool.sweep();
    expect(bench.open).toBe(1);
  });
});

describe('UpstreamPool: waiting', () => {
  it('dials once for each, up to the cap, and serves in order', () => {
    const bench = new Bench({ maxConnections: 2 });
    for (const name of ['a', 'b', 'c', 'd']) bench.wait(name);
    expect(bench.dials).toHaveLength(2);
    expect(bench.pool.waiting).toBe(4);
    bench.ready();
    bench.ready();
    expect(bench.heard).toEqual(['a', 'b']);
    expect(bench.dials).toHaveLength(0);
    bench.answer(bench.got.get('b'));
    bench.answer(bench.got.get('a'));
    expect(bench.heard).toEqual(['a', 'b', 'c', 'd']);
    expect(bench.got.get('c')).toBe(bench.got.get('b'));
    expect(bench.pool.waiting).toBe(0);
    expect(bench.events).toEqual({ opened: 2, closed: 0, reused: 0, failed: 0 });
  });

  it('dials for the next one when a connection is lost at the cap', () => {
    const bench = new Bench({ maxConnections: 1 });
    bench.wait('a');
    bench.ready();
    bench.wait('b');
    expect(bench.dials).toHaveLength(0);
    bench.got.get('a')?.destroy();
    expect(bench.dials).toHaveLength(1);
    bench.ready();
    expect(bench.heard).toEqual(['a', 'b']);
  });

  it('gives a connection that becomes free to the first, and keeps the one that was dialled', () => {
    const bench = new Bench();
    bench.wait('a');
    const connection = bench.ready();
    bench.wait('b');
    bench.answer(connection);
    expect(bench.got.get('b')).toBe(connection);
    const second = bench.ready();
    expect(bench.heard).toEqual(['a', 'b']);
    expect(bench.pool.take()).toBe(second);
  });

  it('tells one waiter of each failed attempt, the first one first', () => {
    const bench = new Bench({ maxConnections: 1 });
    for (const name of ['a', 'b']) bench.wait(name);
    bench.fail();
    expect(bench.heard).toEqual(['a failed']);
    expect(bench.dials).toHaveLength(1);
    bench.fail();
    expect(bench.heard).toEqual(['a failed', 'b failed']);
    expect(bench.dials).toHaveLength(0);
    expect(bench.events).toEqual({ opened: 0, closed: 0, reused: 0, failed: 2 });
  });

  it('leaves those alone who left', () => {
    const bench = new Bench();
    const a = bench.wait('a');
    bench.wait('b');
    bench.pool.leave(a);
    bench.ready();
    bench.ready();
    expect(bench.heard).toEqual(['b']);
    expect(bench.pool.waiting).toBe(0);
    bench.pool.leave(a);
  });

  it('tells nobody of a failed attempt when nobody waits any more', () => {
    const bench = new Bench();
    bench.pool.leave(bench.wait('a'));
    bench.fail();
    expect(bench.heard).toEqual([]);
    expect(bench.dials).toHaveLength(0);
  });
});

describe('UpstreamPool: waitForFresh', () => {
  it('never gives a used connection', () => {
    const bench = new Bench();
    const used = bench.idle();
    bench.pool.waitForFresh(bench.waiter('a'));
    const fresh = bench.ready();
    expect(bench.heard).toEqual(['a']);
    expect(bench.got.get('a')).toBe(fresh);
    expect(bench.pool.take()).toBe(used);
  });

  it('tells its own waiter of a failure', () => {
    const bench = new Bench();
    bench.pool.waitForFresh(bench.waiter('a'));
    bench.fail();
    expect(bench.heard).toEqual(['a failed']);
  });

  it('can be given up, once or more', () => {
    const bench = new Bench();
    const giveUp = bench.pool.waitForFresh(bench.waiter('a'));
    giveUp();
    giveUp();
    expect(bench.dials).toHaveLength(0);
    expect(bench.heard).toEqual([]);
    expect(bench.events).toEqual({ opened: 0, closed: 0, reused: 0, failed: 0 });
  });

  it('takes no other waiter its connection', () => {
    // A waiter has a dial of its own: that of a retry serves the retry alone.
    const bench = new Bench();
    bench.pool.waitForFresh(bench.waiter('retry'));
    bench.wait('a');
    expect(bench.dials).toHaveLength(2);
    bench.ready();
    bench.ready();
    expect(bench.heard).toEqual(['retry', 'a']);
  });

  it.for(['fails', 'is given up'])('leaves its place under the cap to who waits when it %s', (end) => {
    const bench = new Bench({ maxConnections: 1 });
    const giveUp = bench.pool.waitForFresh(bench.waiter('retry'));
    bench.wait('a');
    expect(bench.dials).toHaveLength(1);
    if (end === 'fails') bench.fail();
    else giveUp();
    expect(bench.dials).toHaveLength(1);
    bench.ready();
    expect(bench.heard.at(-1)).toBe('a');
  });
});

describe('UpstreamPool: close', () => {
  it('closes idle connections at once, and busy ones when they are done', () => {
    const bench = new Bench();
    for (const name of ['a', 'b']) bench.wait(name);
    const [a, b] = [bench.ready(), bench.ready()];
    bench.answer(a);
    bench.pool.close();
    expect(bench.open).toBe(1);
    expect(bench.pool.take()).toBeNull();
    bench.answer(b);
    expect(bench.open).toBe(0);
    expect(bench.events).toMatchObject({ opened: 2, closed: 2 });
  });

  it('calls everybody who waits, or still gets them a connection: nobody waits for nothing', () => {
    // A reload may drop an upstream while requests wait for it.
    const bench = new Bench({ maxConnections: 1 });
    bench.wait('a');
    bench.ready();
    bench.wait('b');
    bench.pool.close();
    bench.answer(bench.got.get('a'));
    if (bench.heard.length < 2) bench.ready();
    expect(bench.heard[1]).toMatch(/^b(?: failed)?$/);
  });

  it('does not forget those for whom it was dialling', () => {
    const bench = new Bench();
    bench.wait('a');
    bench.pool.close();
    if (bench.heard.length === 0) bench.ready();
    expect(bench.heard).toHaveLength(1);
  });

  it('does not forget a retry either', () => {
    const bench = new Bench();
    bench.pool.waitForFresh(bench.waiter('a'));
    bench.pool.close();
    if (bench.heard.length === 0) bench.ready();
    expect(bench.heard).toHaveLength(1);
  });

  it('still serves a connection that began before the reload, and keeps nothing', () => {
    const bench = new Bench();
    bench.pool.close();
    bench.wait('a');
    const connection = bench.ready();
    expect(bench.heard).toEqual(['a']);
    bench.answer(connection);
    expect(bench.open).toBe(0);
    expect(bench.pool.take()).toBeNull();
  });
});

describe('UpstreamPool: whatever happens', () => {
  type Step = [
    what: 'take' | 'wait' | 'leave' | 'fresh' | 'giveUp' | 'ready' | 'fail' | 'answer' | 'break' | 'sweep',
    which: number,
  ];
  const step = fc.tuple(
    fc.constantFrom<Step[0]>('take', 'wait', 'wait', 'leave', 'fresh', 'giveUp', 'ready', 'ready', 'fail', 'answer', 'answer', 'break', 'sweep'),
    fc.nat({ max: 5 }),
  ); // prettier-ignore

  it('counts what is open, keeps to its cap, serves each once, and lets nobody wait beside a free place', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = new Bench({ maxConnections: 3, maxIdle: 2 });
        const waiting = new Map<string, Waiter>();
        const fresh = new Map<string, () => void>();
        const givenUp = new Set<string>();
        const busy = (): UpstreamConnection[] =>
          bench.connections.filter(({ isIdle, socket }) => !isIdle && !(socket as unknown as FakeSocket).destroyed);
        let count = 0;
        for (const [what, which] of steps) {
          bench.now += 300;
          const name = `w${String(count++)}`;
          const connection = busy()[which % Math.max(1, busy().length)];
          if (what === 'take') {
            const taken = bench.pool.take();
            taken?.start(HANDLER, 'GET', false);
            taken?.requestSent();
          } else if (what === 'wait') {
            waiting.set(name, bench.wait(name));
          } else if (what === 'fresh') {
            fresh.set(name, bench.pool.waitForFresh(bench.waiter(name)));
          } else if (what === 'giveUp') {
            const [chosen] = fresh;
            if (chosen !== undefined && !bench.heard.some((text) => text.startsWith(chosen[0]))) {
              givenUp.add(chosen[0]);
              chosen[1]();
            }
          } else if (what === 'leave') {
            const [left] = [...waiting].filter(([other]) => !bench.heard.some((text) => text.startsWith(`${other} `) || text === other));
            if (left !== undefined) {
              bench.pool.leave(left[1]);
              waiting.delete(left[0]);
            }
          } else if (what === 'ready') {
            bench.dials[which % Math.max(1, bench.dials.length)]?.ready();
          } else if (what === 'fail') {
            bench.dials[which % Math.max(1, bench.dials.length)]?.fail();
          } else if (what === 'answer') {
            if (connection !== undefined) bench.answer(connection);
          } else if (what === 'break') {
            connection?.destroy();
          } else {
            bench.pool.sweep();
          }
          expect(bench.events.opened - bench.events.closed).toBe(bench.open);
          expect(bench.events.opened).toBe(bench.connections.length);
          expect(bench.open).toBeLessThanOrEqual(3 + fresh.size);
          expect(new Set(bench.heard).size).toBe(bench.heard.length);
          const heard = new Set(bench.heard.map((text) => text.replace(' failed', '')));
          expect(bench.pool.waiting).toBe([...waiting.keys()].filter((other) => !heard.has(other)).length);
          // Whoever waits is dialled for, or the cap is reached.
          const unheardFresh = [...fresh.keys()].filter((other) => !heard.has(other) && !givenUp.has(other)).length;
          const ownDials = bench.dials.length - unheardFresh;
          expect(ownDials >= bench.pool.waiting || bench.open + bench.dials.length >= 3).toBe(true);
        }
        // Once all is answered, everybody has heard.
        for (let round = 0; round < 200 && (bench.dials.length > 0 || busy().length > 0); round++) {
          const [dial] = bench.dials;
          if (dial !== undefined) dial.ready();
          else bench.answer(busy()[0]);
        }
        expect(bench.pool.waiting).toBe(0);
        bench.pool.close();
        expect(bench.open).toBe(0);
        expect(bench.events.opened).toBe(bench.events.closed);
      }),
      { numRuns: 400 },
    );
  }); // prettier-ignore
});
