/**
 * The `stage` fixture: opens what a test needs (Portico, backends, clients) and closes all of it, in reverse order, when
 * the test ends, however it ends.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base, vi } from 'vitest';
import { startHonestBackend } from './honest-backend.ts';
import type { HonestBackend } from './honest-backend.ts';
import type { RawResponse } from './http-response.ts';
import { startPortico } from './portico.ts';
import type { Portico, PorticoOptions } from './portico.ts';
import { connectRaw } from './raw-client.ts';
import type { RawClient, RawClientOptions } from './raw-client.ts';
import { RecordingBackend } from './recording-backend.ts';
import type { RecordingBackendOptions, Script } from './recording-backend.ts';

// Several test files share two cores: the bounds are for a hang, not for speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** How to reach a Portico. */
export interface ClientOptions extends Partial<Omit<RawClientOptions, 'port' | 'ca'>> {
  /** Default `https`. */
  readonly listener?: 'https' | 'federation' | 'http';
}

/** Portico in front of one recording backend. */
export interface Front {
  readonly portico: Portico;
  readonly backend: RecordingBackend;
  /** A connection to Portico; SNI is `example.test` unless said otherwise. */
  connect(options?: ClientOptions): Promise<RawClient>;
}

/** Opens things and closes them after the test. */
export class Stage {
  readonly #closers: (() => unknown)[] = [];

  /** Runs `close` when the test ends; the last one first. */
  onClose(close: () => unknown): void {
    this.#closers.push(close);
  }

  async portico(options: PorticoOptions): Promise<Portico> {
    const portico = await startPortico(options);
    this.onClose(() => portico.close());
    return portico;
  }

  async backend(options: RecordingBackendOptions | Script = {}): Promise<RecordingBackend> {
    const backend = await RecordingBackend.start(typeof options === 'function' ? { script: options } : options);
    this.onClose(async () => {
      await backend.close();
      expect(backend.scriptErrors).toEqual([]);
    });
    return backend;
  }

  async honestBackend(): Promise<HonestBackend> {
    const backend = await startHonestBackend();
    this.onClose(() => backend.close());
    return backend;
  }

  async connect(portico: Portico, options: ClientOptions = {}): Promise<RawClient> {
    const { listener = 'https', ...rest } = options;
    const tls = listener === 'http' ? {} : { ca: portico.ca, servername: 'example.test' };
    const client = await connectRaw({ ...tls, port: portico[listener].port, ...rest });
    this.onClose(() => {
      client.destroy();
    });
    return client;
  }

  /** Portico before a recording backend with this script. */
  async front(script?: Script, configure?: PorticoOptions['configure']): Promise<Front> {
    const backend = await this.backend(script === undefined ? {} : { script });
    const portico = await this.portico({ homeserver: backend.url, ...(configure === undefined ? {} : { configure }) });
    return { portico, backend, connect: (options) => this.connect(portico, options) };
  }

  /** A directory that is removed after the test. */
  async directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'portico-stage-'));
    this.onClose(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}

/** Vitest's `test` with a `stage`. */
export const test = base.extend<{ stage: Stage }>({
  // Vitest reads the names of the fixtures from the pattern, so it has to be there, empty as it is.
  // eslint-disable-next-line no-empty-pattern
  stage: async ({}, use) => {
    const stage = new Stage();
    try {
      await use(stage);
    } finally {
      await stage.close();
    }
  },
});

/** A request of these lines, with CRLF line ends and the empty line. */
export function request(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A plain GET of `target` from `host`. */
export function get(target: string, host = 'example.test', ...fields: string[]): string {
  return request(`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields);
}

/**
 * Sends one honest request over a fresh connection and waits until the backend has answered it: whatever Portico was
 * going to send upstream before has been sent by then.
 */
export async function barrier(front: Front): Promise<void> {
  const client = await front.connect();
  await client.send(get('/_matrix/client/versions?barrier', 'example.test', 'Connection: close'));
  const answer = await client.readResponse();
  expect(answer.status).toBe(200);
}

/** What careless readers would have executed, without the barrier's own request. */
export function executedBeside(backend: RecordingBackend): string[] {
  return backend.executed().filter((line) => line !== 'GET /_matrix/client/versions?barrier');
}

/** Asserts an error of Portico's own under /_matrix: status, errcode, JSON, CORS exactly once. */
export function expectMatrixError(answer: RawResponse, status: number, errcode: string): void {
  expect(answer.status).toBe(status);
  expect(answer.values('access-control-allow-origin')).toEqual(['*']);
  expect(answer.values('access-control-allow-methods')).toHaveLength(1);
  expect(answer.values('access-control-allow-headers')).toHaveLength(1);
  expect(answer.field('content-type')).toMatch(/^application\/json/);
  expect(answer.truncated).toBe(false);
  expect(answer.json()).toMatchObject({ errcode, error: expect.any(String) as unknown });
}

/** Asserts that the connection ends after this answer, and that the answer says so. */
export async function expectClose(client: RawClient, answer: RawResponse): Promise<void> {
  expect(answer.field('connection')?.toLowerCase()).toBe('close');
  expect((await client.readUntilClose()).toString('latin1')).toBe('');
}
