/**
 * The URI canary: a request whose path and query hold everything that proxies like to tidy up. It is sent to the public
 * address and comes back from Portico with the bytes that arrived. Signatures of federation requests are made over those
 * bytes, so that one tidy proxy in between breaks joins and media while every simple test passes.
 *
 * Only a question made with the secret of this process is answered, and only for a few minutes; to everybody else the path is
 * one like any other. Source: Matrix S-S API, "Request Authentication".
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';

/** What is sent, and what its answer is known by. */
export interface CanaryQuestion {
  /** The request target, byte for byte. */
  readonly target: string;
  /** Hex; the answer is authenticated with it, so that no mirror on the way can pass for Portico. */
  readonly answerKey: string;
}

/** What the canary is made with. */
export interface UriCanaryOptions {
  /** 32 bytes, kept for the life of the process; the same on every node behind one name. */
  readonly secret: Buffer;
  readonly clock: Clock;
  /** Cryptographically strong bytes. */
  readonly random: (size: number) => Buffer;
}

const PREFIX = '/_matrix/portico/canary/';
const MAX_AGE_MS = 5 * 60 * 1000;
/** Longest target that is given back; ours are a third of it. */
const MAX_TARGET = 1024;

/** Each piece stands between two equal letters, which no escape holds, so that what became of it can be told. */
const PIECES: readonly (readonly [letter: string, piece: string])[] = [
  ['G', '%2F'],
  ['H', '%25'],
  ['J', '%7e'],
  ['K', '%20'],
  ['M', '//'],
  ['N', "'"],
  ['P', '+'],
  ['Q', ';'],
  ['R', '%E2%98%83'],
  ['S', '%c3%a9'],
  ['T', '%2f'],
  ['U', '~'],
  ['V', '!'],
  ['W', '@'],
];
const TAIL = PIECES.map(([letter, piece]) => `${letter}${piece}${letter}`).join('');

/** Makes questions and answers them. */
export class UriCanary {
  readonly #options: UriCanaryOptions;

  constructor(options: UriCanaryOptions) {
    this.#options = options;
  }

  /** A fresh question. */
  question(): CanaryQuestion {
    const stamp = `${String(this.#options.clock.now())}-${this.#options.random(16).toString('hex')}`;
    const token = `${stamp}-${this.#mac('question', stamp).toString('hex')}`;
    return {
      target: `${PREFIX}${token}/${TAIL}?q=${TAIL}`,
      answerKey: this.#mac('answer', stamp).toString('hex'),
    };
  }

  /**
   * The body for a request, or null when it is no question of ours: it is then to be treated like any other.
   * @param target - as received, one character an octet
   */
  answer(method: string, target: string): string | null {
    // Asked of every request: the prefix alone says no to all but ours.
    if (!target.startsWith(PREFIX) || method !== 'GET' || target.length > MAX_TARGET) return null;
    const match = /^((\d{1,15})-[0-9a-f]{32})-([0-9a-f]{64})\//.exec(target.slice(PREFIX.length));
    const [, stamp, issued, mac] = match ?? [];
    if (stamp === undefined || mac === undefined) return null;
    if (!timingSafeEqual(Buffer.from(mac, 'hex'), this.#mac('question', stamp))) return null;
    if (Math.abs(this.#options.clock.now() - Number(issued)) > MAX_AGE_MS) return null;
    const received = Buffer.from(target, 'latin1').toString('base64url');
    return JSON.stringify({ received, proof: proofOf(this.#mac('answer', stamp), received) });
  }

  #mac(purpose: 'question' | 'answer', stamp: string): Buffer {
    return createHmac('sha256', this.#options.secret).update(`portico uri canary ${purpose} ${stamp}`).digest();
  }
}

/**
 * Reads an answer.
 * @param body - the parsed JSON
 * @returns the target as Portico received it; null when the answer is not Portico's
 */
export function readCanaryAnswer(question: CanaryQuestion, body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  const { received, proof } = body as Record<string, unknown>;
  if (typeof received !== 'string' || typeof proof !== 'string') return null;
  if (proof !== proofOf(Buffer.from(question.answerKey, 'hex'), received)) return null;
  return Buffer.from(received, 'base64url').toString('latin1');
}

/** What became of the pieces on the way, each as `%2F became /`; empty when every byte arrived. */
export function canaryChanges(sent: string, received: string): string[] {
  if (sent === received) return [];
  const [path = '', ...rest] = received.slice(PREFIX.length).split('?');
  const found = new Set([...piecesOf(path, ''), ...piecesOf(rest.join('?'), ' in the query')]);
  return found.size > 0 ? [...found] : [`it arrived as ${JSON.stringify(received.slice(0, 300))}`];
}

function piecesOf(text: string, where: string): string[] {
  return PIECES.flatMap(([letter, piece]) => {
    const start = text.indexOf(letter);
    const end = text.indexOf(letter, start + 1);
    const arrived = start === -1 || end === -1 ? null : text.slice(start + 1, end);
    if (arrived === piece) return [];
    return [`${piece} became ${arrived === null ? 'something else' : arrived === '' ? 'nothing' : arrived}${where}`];
  });
}

function proofOf(key: Buffer, received: string): string {
  return createHmac('sha256', key).update(received).digest('hex');
}
