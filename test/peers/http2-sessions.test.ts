/**
 * Whole HTTP/2 sessions, made up, played by clients that others wrote: streams that interleave, heads cut into CONTINUATION
 * frames, padding, priorities, windows that open late and change, trailers, resets. What came back is what the homeserver
 * sent, and what the homeserver saw is what was asked; a request or answer that broke off never looks complete.
 *
 * H2_SESSIONS sets how many there are; H2_SEED plays those of an earlier run again.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { describePeers } from './harness/describe-peers.ts';
import { freePorts } from './harness/free-ports.ts';
import { bytesOf, nghttpRun, plannedSession } from './harness/http2-sessions.ts';
import type { Field, NghttpRun, PlannedAnswer, PlannedSession, PlannedStream } from './harness/http2-sessions.ts';
import { PorticoProcess } from './harness/portico-process.ts';
import { readPeerState } from './install/peer.ts';
import { placeOf } from './install/place.ts';

const SESSIONS = Number(process.env.H2_SESSIONS ?? 2000);
const SEED = Number(process.env.H2_SEED ?? Date.now() % 2 ** 31);
/** Of so many sessions one more is played by nghttp: each is a program of its own. */
const NGHTTP_SHARE = 20;
/** Sessions a run of Python. */
const BATCH = 100;
const SESSION_LIMIT_MS = 60_000;
const PATH = '/_matrix/client/v3/play';
/** Where a stream's path begins, and what of it names the stream. */
const NAMED = /^\/_matrix\/client\/v3\/play\/(\d+)\/(\d+)\//;
/** What Portico says of the client; the rest of what the homeserver sees is the client's. */
const ADDED = ['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip', 'x-request-id'];
const NO_ERROR = 0;

/** What came back on one stream. */
interface StreamResult {
  readonly headers: Field[] | null;
  readonly informational: Field[][];
  readonly length: number;
  readonly sha256: string;
  readonly ended: boolean;
  readonly reset: number | null;
  readonly givenUp: boolean;
  readonly sent: number;
  readonly finished: boolean;
}

interface SessionResult {
  readonly error: string | null;
  readonly streams: StreamResult[];
}

/** What the homeserver saw of one request. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: Field[];
  readonly parts: Buffer[];
  trailers: string[];
  complete: boolean;
  /** Nothing more comes. */
  closed: boolean;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const pairs = (raw: readonly string[]): Field[] =>
  Array.from({ length: raw.length / 2 }, (_, at): Field => [(raw[2 * at] ?? '').toLowerCase(), raw[2 * at + 1] ?? '']);

/** A homeserver that answers each stream as planned and remembers what it saw. */
class PlayedHomeserver {
  readonly seen = new Map<string, Seen[]>();
  readonly answers = new Map<string, PlannedAnswer>();
  /** Bodies that are not cut from the pattern. */
  readonly bodies = new Map<string, Buffer>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 0, noDelay: true }, (request, response) => {
      const [, session = '', stream = ''] = NAMED.exec(request.url ?? '') ?? [];
      const key = `${session}/${stream}`;
      const seen: Seen = {
        method: request.method ?? '',
        target: request.url ?? '',
        fields: pairs(request.rawHeaders),
        parts: [],
        trailers: [],
        complete: false,
        closed: false,
      };
      const all = this.seen.get(key) ?? [];
      this.seen.set(key, all);
      all.push(seen);
      this.#receive(request, seen);
      const answer = this.answers.get(key);
      if (answer === undefined) {
        response.writeHead(599).end();
        return;
      }
      const send = (): void => {
        void this.#answer(answer, this.bodies.get(key) ?? bytesOf(answer.body), request, response);
      };
      if (answer.early) send();
      else request.on('end', send);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #receive(request: IncomingMessage, seen: Seen): void {
    request.on('data', (part: Buffer) => seen.parts.push(part));
    request.on('end', () => {
      seen.complete = request.complete;
      seen.trailers = request.rawTrailers;
    });
    request.on('error', () => undefined);
    const close = (): void => {
      seen.closed = true;
    };
    request.on('close', close);
    // After an answer that did not wait for the request, Node says no more of the request itself.
    request.socket.setMaxListeners(0).once('close', close);
  }

  async #answer(
    answer: PlannedAnswer,
    body: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    response.on('error', () => undefined);
    response.sendDate = false;
    if (answer.hints !== null) {
      const lines = answer.hints.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      // The response may not have its socket yet when the connection was used again at once.
      request.socket.write(`HTTP/1.1 103 Early Hints\r\n${lines}\r\n`, 'latin1');
    }
    const length = answer.chunked || [204, 304].includes(answer.status) ? [] : ['content-length', String(body.length)];
    const trailer = answer.chunked && request.method !== 'HEAD' ? ['trailer', 'x-t-trailer'] : [];
    response.writeHead(answer.status, [...answer.fields.flat(), ...length, ...trailer]);
    if (trailer.length > 0) response.addTrailers({ 'x-t-trailer': 'said at last' });
    if (request.method !== 'HEAD') {
      const size = Math.ceil(body.length / answer.pieces);
      for (let at = 0; at < body.length && !response.destroyed; at += size) {
        response.write(body.subarray(at, at + size));
        // So that the pieces come apart.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    response.end();
  }
}

/** What is asked on the wire on one stream. */
function pathOf(number: number, at: number, stream: PlannedStream): string {
  return `${PATH}/${number}/${at}${stream.path}`;
}

/** What the homeserver must see of the fields: no crumbs, nothing that ends at this hop. */
function askedFields(stream: PlannedStream): Field[] {
  const crumbs = stream.fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const rest = stream.fields.filter(([name]) => name !== 'cookie' && name !== 'te');
  return crumbs.length === 0 ? rest : [...rest, ['cookie', crumbs.join('; ')]];
}

function checkAsked(stream: PlannedStream, target: string, seen: Seen, context: string): void {
  const framing = ['content-length', 'transfer-encoding', 'connection'];
  expect([seen.method, seen.target], context).toEqual([stream.method, target]);
  const fields = seen.fields.filter(([name]) => !ADDED.includes(name) && !framing.includes(name));
  expect(fields, context).toEqual(askedFields(stream));
  expect(seen.trailers, context).toEqual([]);
  const body = Buffer.concat(seen.parts);
  const asked = bytesOf(stream.body);
  expect(body.equals(seen.complete ? asked : asked.subarray(0, body.length)), `${context}: body seen`).toBe(true);
}

function checkAnswered(stream: PlannedStream, result: StreamResult, context: string): void {
  const { answer } = stream;
  const body = stream.method === 'HEAD' ? Buffer.alloc(0) : bytesOf(answer.body);
  if (result.headers !== null) {
    const [[, status] = [], ...fields] = result.headers;
    expect(status, context).toBe(String(answer.status));
    const length: Field[] =
      answer.chunked || [204, 304].includes(answer.status) ? [] : [['content-length', String(answer.bodyLength)]];
    expect(fields, context).toEqual([...answer.fields, ...length]);
    const hints = answer.hints === null ? [] : [[[':status', '103'], ...answer.hints]];
    expect(result.informational, context).toEqual(hints);
  }
  const expected = result.ended ? body : body.subarray(0, result.length);
  expect([result.length, result.sha256], `${context}: body received`).toEqual([expected.length, sha256(expected)]);
}

function checkStream(stream: PlannedStream, target: string, result: StreamResult, all: Seen[], context: string): void {
  expect(all.length, `${context}: requests seen`).toBeLessThanOrEqual(1);
  const [seen] = all;
  if (seen !== undefined) checkAsked(stream, target, seen, context);
  checkAnswered(stream, result, context);
  if (result.givenUp) {
    // Nothing that the client did not finish may look finished; the last byte of a known length finishes as well.
    const finished = result.finished || (stream.contentLength && result.sent === stream.body[1]);
    if (stream.hasBody && !finished) expect(seen?.complete ?? false, `${context}: broken off`).toBe(false);
    return;
  }
  expect([result.ended, seen === undefined], context).toEqual([true, false]);
  if (!stream.answer.early) expect(seen?.complete, `${context}: whole upstream`).toBe(true);
  // RFC 9113 §8.1: only an answer that did not wait for the request may end so.
  if (result.reset !== null) expect([stream.answer.early, result.reset], context).toEqual([true, NO_ERROR]);
}

/** Plays sessions with the script beside this file; their results in order. */
async function python(input: object, count: number): Promise<SessionResult[]> {
  const program = join(placeOf('httpx'), 'bin', 'python');
  const child = spawn(program, [join(import.meta.dirname, 'http2-sessions.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), count * SESSION_LIMIT_MS);
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const exited = new Promise((resolve) => child.once('close', resolve));
  child.stdin.end(JSON.stringify(input));
  const results: SessionResult[] = [];
  for await (const line of createInterface({ input: child.stdout })) results.push(JSON.parse(line) as SessionResult);
  await exited;
  clearTimeout(timer);
  expect([results.length, complaints]).toEqual([count, '']);
  return results;
}

let portico: PorticoProcess | undefined;
let directory = '';
let port = 0;
let caFile = '';
const homeserver = new PlayedHomeserver();

beforeAll(async () => {
  await homeserver.listen();
  directory = mkdtempSync(join(tmpdir(), 'portico-sessions-'));
  const [https = 0, federation = 0, metrics = 0] = await freePorts(3);
  portico = await PorticoProcess.start({
    serverName: `localhost:${federation}`,
    kind: 'synapse',
    homeserver: homeserver.url,
    httpsPort: https,
    federationPort: federation,
    metricsPort: metrics,
    directory: join(directory, 'portico'),
  });
  port = https;
  caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, portico.ca);
}, 90_000);
afterAll(async () => {
  await portico?.stop();
  homeserver.close();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** Tells the homeserver what to answer, and returns the sessions with their whole paths. */
function announce(sessions: readonly PlannedSession[], first: number): PlannedSession[] {
  homeserver.seen.clear();
  homeserver.answers.clear();
  homeserver.bodies.clear();
  return sessions.map((session, index) => ({
    ...session,
    streams: session.streams.map((stream, at) => {
      homeserver.answers.set(`${first + index}/${at}`, stream.answer);
      return { ...stream, path: pathOf(first + index, at, stream) };
    }),
  }));
}

/** Waits until the homeserver has seen the end of everything. */
async function settled(): Promise<void> {
  await eventually(() => {
    for (const seen of [...homeserver.seen.values()].flat()) expect(seen.closed).toBe(true);
  });
}

describePeers(['httpx'], 'sessions of Python’s h2', () => {
  it(
    `${SESSIONS} sessions: what comes back is what was sent, both ways`,
    async () => {
      for (let done = 0; done < SESSIONS; done += BATCH) {
        const seed = SEED + done;
        const sessions = fc.sample(plannedSession, { numRuns: Math.min(BATCH, SESSIONS - done), seed });
        const whole = announce(sessions, done);
        const results = await python({ host: '127.0.0.1', port, ca: caFile, sessions: whole }, sessions.length);
        await settled();
        for (const [index, session] of whole.entries()) {
          const result = results[index];
          const context = `H2_SEED=${seed} session ${index}: ${JSON.stringify({ result, session })}`;
          expect(result?.error, context).toBeNull();
          for (const [at, stream] of session.streams.entries()) {
            const all = homeserver.seen.get(`${done + index}/${at}`) ?? [];
            checkStream(stream, stream.path, result!.streams[at]!, all, `stream ${at} of ${context}`);
          }
        }
      }
      expect(portico?.service.log ?? '').not.toMatch(/"level":"(?:error|fatal)"/);
    },
    SESSIONS * SESSION_LIMIT_MS,
  );
});

/** Bodies of one run have octets of their own each, above ASCII, so that they can be told apart in nghttp's output. */
function ownOctets(at: number, length: number): Buffer {
  return Buffer.from(bytesOf([at * 1000, length]).map((octet) => 0x80 + 8 * at + (octet & 7)));
}

interface NghttpOutput {
  readonly code: number | null;
  readonly bytes: Buffer;
  readonly complaints: string;
}

async function nghttp(args: readonly string[]): Promise<NghttpOutput> {
  const state = readPeerState('nghttp2');
  if (state.state === 'missing') throw new Error(state.why);
  const child = spawn(state.path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), SESSION_LIMIT_MS);
  const parts: Buffer[] = [];
  let complaints = '';
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, bytes: Buffer.concat(parts), complaints };
}

/** What nghttp says of each path that it asked for: the status, and the fields of the test's own. */
function readNghttp(text: string): Map<string, Field[]> {
  const paths = new Map<string, string>();
  for (const [, id = '', path = ''] of text.matchAll(/send HEADERS frame <[^>]*stream_id=(\d+)>[^]*?:path: (\S+)/g)) {
    // Trailers are HEADERS as well, without a path of their own.
    if (!paths.has(id)) paths.set(id, path);
  }
  const seen = new Map<string, Field[]>();
  for (const [, id = '', name = '', value = ''] of text.matchAll(/recv \(stream_id=(\d+)\) (:?[^:\n]+): ([^\n]*)/g)) {
    const path = paths.get(id) ?? id;
    if (name === ':status' || name.startsWith('x-')) seen.set(path, [...(seen.get(path) ?? []), [name, value]]);
  }
  return seen;
}

async function playNghttp(run: NghttpRun, number: number, bodyFile: string): Promise<void> {
  homeserver.seen.clear();
  const context = `nghttp run ${JSON.stringify(run)}`;
  const body = bytesOf(run.body);
  writeFileSync(bodyFile, body);
  const paths = run.answers.map((answer, at) => {
    homeserver.answers.set(`${number}/${at}`, answer);
    homeserver.bodies.set(`${number}/${at}`, ownOctets(at, answer.bodyLength));
    return `${PATH}/${number}/${at}/x`;
  });
  const args = ['-v', ...run.options, '-H', `:method: ${run.method}`];
  for (const [name, value] of run.fields) args.push('-H', `${name}: ${value}`);
  if (run.hasBody) args.push('-d', bodyFile);
  const urls = paths.map((path) => `https://localhost:${port}${path}`);
  const { code, bytes, complaints } = await nghttp([...args, ...urls]);
  // It knows only the system's authorities; who serves is not what is compared here.
  const others = complaints.split('\n').filter((line) => !/^$|Certificate verification failed/.test(line));
  expect([code, others], context).toEqual([0, []]);
  const text = Buffer.from(bytes.filter((octet) => octet < 0x80)).toString('latin1');
  expect(text, context).not.toMatch(/recv RST_STREAM|error_code=(?!NO_ERROR)|INVALID/);
  await settled();
  const said = readNghttp(text);
  for (const [at, answer] of run.answers.entries()) {
    const path = paths[at] ?? '';
    const own = answer.fields.filter(([name]) => name.startsWith('x-'));
    expect(said.get(path), `${context}, answer ${at}`).toEqual([[':status', String(answer.status)], ...own]);
    const received = bytes.filter((octet) => octet >= 0x80 + 8 * at && octet < 0x88 + 8 * at);
    const sent = run.method === 'HEAD' ? Buffer.alloc(0) : ownOctets(at, answer.bodyLength);
    expect(Buffer.from(received).equals(sent), `${context}, body ${at}`).toBe(true);
    const all = homeserver.seen.get(`${number}/${at}`) ?? [];
    expect(
      all.map((seen) => [seen.method, seen.target, seen.complete]),
      context,
    ).toEqual([[run.method, path, true]]);
    const asked = all[0]?.fields.filter(([name]) => name.startsWith('x-') && !ADDED.includes(name));
    expect(asked, context).toEqual(run.fields);
    expect(Buffer.concat(all[0]?.parts ?? []).equals(run.hasBody ? body : Buffer.alloc(0)), context).toBe(true);
    expect(all[0]?.trailers, context).toEqual([]);
  }
}

describePeers(['nghttp2'], 'sessions of nghttp2’s client', () => {
  const RUNS = Math.ceil(SESSIONS / NGHTTP_SHARE);
  it(
    `${RUNS} sessions: what comes back is what was sent, both ways`,
    async () => {
      for (const [number, run] of fc.sample(nghttpRun, { numRuns: RUNS, seed: SEED }).entries()) {
        homeserver.answers.clear();
        homeserver.bodies.clear();
        await playNghttp(run, number, join(directory, 'body'));
      }
    },
    RUNS * SESSION_LIMIT_MS,
  );
});
