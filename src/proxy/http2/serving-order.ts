/** Who goes first when several streams have body bytes waiting (RFC 9218 §10). */
import type { Priority } from './request-head.ts';

/** What the order is made from. */
export interface Waiting {
  readonly id: number;
  readonly priority: Priority;
  /** The client named a priority: only then does its order mean anything. */
  readonly ordered: boolean;
}

/** Of no use in pieces: served to its end before the next of its urgency. */
export function isWhole(stream: Waiting): boolean {
  return stream.ordered && !stream.priority.incremental;
}

/**
 * The more urgent before the less. Within an urgency streams keep their turn, and those that are of no use in pieces
 * change places among themselves: the client asked for them in the order of their ids.
 * @param ready - in the order of their turn
 */
export function servingOrder<Stream extends Waiting>(ready: Iterable<Stream>): Stream[] {
  const order = [...ready];
  if (order.length === 1) return order;
  order.sort((a, b) => a.priority.urgency - b.priority.urgency);
  const whole = order.filter(isWhole).sort((a, b) => a.priority.urgency - b.priority.urgency || a.id - b.id);
  let next = 0;
  return whole.length < 2 ? order : order.map((stream) => (isWhole(stream) ? (whole[next++] ?? stream) : stream));
}
