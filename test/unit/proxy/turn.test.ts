import { Writable } from 'node:stream';
import { setImmediate as turnEnd } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { GatheringTurn } from '../../../src/proxy/turn.ts';

/** Takes down each write that really happens. */
class Sink extends Writable {
  constructor(log: string[], name: string) {
    super({
      decodeStrings: false,
      highWaterMark: 100,
      write: (chunk: Buffer | string, _encoding, done) => {
        log.push(`${name} ${chunk.toString('latin1')}`);
        done();
      },
      writev: (chunks, done) => {
        log.push(`${name} ${chunks.map(({ chunk }) => Buffer.from(chunk, 'latin1').toString('latin1')).join('+')}`);
        done();
      },
    });
  }
}

it('lets what is written in one turn leave at its end, each socket once, in the order of their first write', async () => {
  const log: string[] = [];
  const turn = new GatheringTurn();
  const [a, b] = [new Sink(log, 'a'), new Sink(log, 'b')];
  turn.write(a, 'one');
  turn.write(b, Buffer.from('two'));
  turn.write(a, '\xe9');
  expect(log).toEqual([]);
  await turnEnd();
  expect(log).toEqual(['a one+\xe9', 'b two']);
  turn.write(b, 'three');
  await turnEnd();
  expect(log.slice(2)).toEqual(['b three']);
});

it('counts gathered bytes against the socket, and says when they are too many', async () => {
  const sink = new Sink([], 'a');
  const turn = new GatheringTurn();
  expect(turn.write(sink, 'x'.repeat(99))).toBe(true);
  expect(turn.write(sink, 'xx')).toBe(false);
  expect(sink.writableNeedDrain).toBe(true);
  await turnEnd();
  await turnEnd();
  expect(sink.writableNeedDrain).toBe(false);
});

it('keeps the order when a large write comes behind a small one, and does not hold a large one back', async () => {
  const log: string[] = [];
  const turn = new GatheringTurn();
  const [a, b] = [new Sink(log, 'a'), new Sink(log, 'b')];
  turn.write(b, Buffer.alloc(16384, 'L'));
  expect(log).toHaveLength(1);
  turn.write(a, 'small');
  turn.write(a, Buffer.alloc(16384, 'L'));
  expect(log).toHaveLength(1);
  await turnEnd();
  expect(log[1]).toBe(`a small+${'L'.repeat(16384)}`);
});

it('loses nothing to an end within the turn, and does not mind a socket that is gone', async () => {
  const log: string[] = [];
  const turn = new GatheringTurn();
  const [ended, gone] = [new Sink(log, 'ended'), new Sink(log, 'gone')];
  turn.write(ended, 'last');
  ended.end();
  turn.write(gone, 'dropped');
  gone.destroy();
  await turnEnd();
  expect(log).toEqual(['ended last']);
});
