import { expect, it } from 'vitest';
import { selfTimes } from '../../../bench/measure/cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });

it('adds up the time of a function wherever it was called from, and leaves out idleness', () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('relay', 'file:///home/x/src/proxy/exchange.ts', 9) },
      { id: 3, callFrame: frame('relay', 'file:///home/x/src/proxy/exchange.ts', 9) },
      { id: 4, callFrame: frame('', 'node:net', 4) },
      { id: 5, callFrame: frame('(garbage collector)') },
    ],
    samples: [1, 2, 3, 4, 5, 1],
    timeDeltas: [1000, 30, 20, 40, 10, -5],
  };
  expect(selfTimes(profile)).toEqual([
    { name: 'relay', place: 'src/proxy/exchange.ts:10', micros: 50, share: 0.5 },
    { name: '(anonymous)', place: 'node:net:5', micros: 40, share: 0.4 },
    { name: '(garbage collector)', place: '', micros: 10, share: 0.1 },
  ]);
});

it('of nothing is nothing', () => {
  expect(selfTimes({ nodes: [], samples: [], timeDeltas: [] })).toEqual([]);
});
