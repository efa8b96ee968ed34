/** Requests whose way through a contender is looked at before anything is timed: what came back, and what the backend saw. */
import { createHash } from 'node:crypto';

/** One of them. */
export interface Case {
  readonly title: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'HEAD';
  /** Bytes of the request target; a proxy passes them as they are, since federation signs them. */
  readonly target: string;
  readonly body: Buffer;
  /** Without Content-Length. */
  readonly chunked?: boolean;
  /** Bytes of the answer that is asked for. */
  readonly answerBytes: number;
}

const NONE = Buffer.alloc(0);
const ROOM = '/_matrix/client/v3/rooms/!room:localhost';

/** Bytes that are no text, do not compress and are the same every time. */
export function noise(bytes: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash('sha256').update(String(index)).digest(),
  );
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** All of them. */
export const CASES: readonly Case[] = [
  { title: 'GET', method: 'GET', target: `${ROOM}/joined_members`, body: NONE, answerBytes: 51 },
  {
    title: 'GET with encoded bytes and a query',
    method: 'GET',
    target: '/_matrix/client/v3/directory/room/%23r%C3%B6om%2Fx:localhost?a=%20b&c=d+e&empty=&f',
    body: NONE,
    answerBytes: 51,
  },
  { title: 'GET of no Matrix path', method: 'GET', target: '/some/page', body: NONE, answerBytes: 51 },
  { title: 'HEAD', method: 'HEAD', target: '/_matrix/client/versions', body: NONE, answerBytes: 51 },
  {
    title: 'PUT of 2 kB',
    method: 'PUT',
    target: `${ROOM}/send/m.room.message/1`,
    body: noise(2000),
    answerBytes: 51,
  },
  { title: 'PUT without a body', method: 'PUT', target: `${ROOM}/typing/@a:localhost`, body: NONE, answerBytes: 51 },
  {
    title: 'POST of 1 MB',
    method: 'POST',
    target: '/_matrix/media/v3/upload?filename=x',
    body: noise(1_000_000),
    answerBytes: 51,
  },
  {
    title: 'POST of 300 kB without Content-Length',
    method: 'POST',
    target: '/_matrix/media/v3/upload',
    body: noise(300_000),
    chunked: true,
    answerBytes: 51,
  },
  {
    title: 'GET of 1 MB',
    method: 'GET',
    target: '/_matrix/client/v1/media/download/localhost/abc',
    body: NONE,
    answerBytes: 1_000_000,
  },
];
