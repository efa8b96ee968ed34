import { expect, it } from 'vitest';
import { ReadBuffers } from '../../../src/proxy/read-buffers.ts';

it('hands a buffer out again when its piece has come back, and not before', () => {
  const buffers = new ReadBuffers();
  const first = buffers.fresh();
  const piece = first.subarray(0, 20_000);
  buffers.lend(piece, first);
  expect(buffers.isLent(piece)).toBe(true);
  expect(buffers.fresh()).not.toBe(first);
  buffers.giveBack(piece);
  expect(buffers.isLent(piece)).toBe(false);
  expect(buffers.fresh()).toBe(first);
});

it('takes a piece once, and nothing that was not lent', () => {
  const buffers = new ReadBuffers();
  const whole = buffers.fresh();
  const piece = whole.subarray(0, 20_000);
  buffers.lend(piece, whole);
  buffers.giveBack(piece);
  buffers.giveBack(piece);
  // Another view of the same bytes is not the piece.
  buffers.giveBack(whole.subarray(0, 20_000));
  buffers.giveBack(buffers.shared);
  expect(buffers.fresh()).toBe(whole);
  expect(buffers.fresh()).not.toBe(whole);
});

it('lends no buffer of another size, and keeps only so many', () => {
  const buffers = new ReadBuffers();
  const odd = Buffer.alloc(70_000);
  buffers.lend(odd, odd);
  expect(buffers.isLent(odd)).toBe(false);
  const pieces = Array.from({ length: 100 }, () => {
    const whole = buffers.fresh();
    const piece = whole.subarray(0, 20_000);
    buffers.lend(piece, whole);
    return piece;
  });
  const wholes = new Set(pieces.map((piece) => piece.buffer));
  for (const piece of pieces) buffers.giveBack(piece);
  const again = Array.from({ length: 100 }, () => buffers.fresh().buffer);
  const kept = again.filter((each) => wholes.has(each));
  expect(kept.length).toBe(32);
  expect(new Set(again).size).toBe(100);
});
