import { describe, expect, it } from 'vitest';
import { DemoRoom } from '../../../../src/cli/demo/room.ts';

const message = { type: 'm.room.message', sender: '@demo:localhost', content: { body: 'x' } };
const never = new AbortController().signal;

describe('DemoRoom', () => {
  it('gives what was appended after a position, in order', () => {
    const room = new DemoRoom('!r:localhost');
    const first = room.append(message);
    const position = room.position;
    const second = room.append(message);
    expect(room.after(0)).toEqual([first, second]);
    expect(room.after(position)).toEqual([second]);
    expect(room.after(room.position)).toEqual([]);
    expect(first.event_id).not.toBe(second.event_id);
  });

  it('wakes everybody who waits', async () => {
    const room = new DemoRoom('!r:localhost');
    const waiting = [room.waitAfter(0, 60_000, never), room.waitAfter(0, 60_000, never)];
    room.append(message);
    await Promise.all(waiting);
    expect(room.after(0)).toHaveLength(1);
  });

  it('does not wait when there is something already, or for no time', async () => {
    const room = new DemoRoom('!r:localhost');
    await room.waitAfter(0, 0, never);
    room.append(message);
    await room.waitAfter(0, 60_000, never);
    expect(room.position).toBe(1);
  });

  it('stops waiting when the client is gone', async () => {
    const room = new DemoRoom('!r:localhost');
    const gone = new AbortController();
    const waiting = room.waitAfter(0, 60_000, gone.signal);
    gone.abort();
    await waiting;
    expect(room.position).toBe(0);
  });

  it('stops waiting after the time given', async () => {
    const room = new DemoRoom('!r:localhost');
    await room.waitAfter(0, 5, never);
    expect(room.position).toBe(0);
  });
});
