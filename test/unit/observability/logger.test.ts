import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PorticoError } from '../../../src/base/errors.ts';
import { createLogger, flushLogger } from '../../../src/observability/logger.ts';

function loggerWithLines() {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  return { logger, lines };
}

describe('a line', () => {
  it('is one JSON object with level, time and message', () => {
    const { logger, lines } = loggerWithLines();
    logger.info({ site: 'example.com' }, 'started');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/\}\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 30,
      time: expect.any(Number),
      site: 'example.com',
      msg: 'started',
    });
  });

  it('is not written below the level', () => {
    const { logger, lines } = loggerWithLines();
    logger.debug('quiet');
    expect(lines).toEqual([]);
  });

  it('shows code, fix and cause of an error', () => {
    const { logger, lines } = loggerWithLines();
    const cause = new Error('no route to host');
    logger.error({ err: new PorticoError('UPSTREAM_DOWN', 'It is down.', { fix: 'Start it.', cause }) }, 'failed');
    const { err } = JSON.parse(lines[0] ?? '') as { err: Record<string, string> };
    expect(err).toMatchObject({ code: 'UPSTREAM_DOWN', fix: 'Start it.', message: 'It is down.: no route to host' });
    expect(err.stack).toContain('no route to host');
  });

  it('shows what was thrown even when it is no error', () => {
    const { logger, lines } = loggerWithLines();
    logger.error({ err: 'a string' }, 'failed');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ err: 'a string' });
  });
});

describe('secrets', () => {
  const SECRET = 'syt_c2VjcmV0_dG9rZW4';

  it.for<[string, object]>([
    ['authorization', { authorization: `Bearer ${SECRET}` }],
    ['headers', { request: { headers: { authorization: SECRET, cookie: SECRET, 'set-cookie': SECRET } } }],
    ['Authorization', { headers: { Authorization: SECRET, Cookie: SECRET } }],
    ['tokens', { access_token: SECRET, body: { refresh_token: SECRET, token: SECRET } }],
    ['keys', { key: SECRET, certificate: { key: SECRET }, acme: { eab: { hmac_key: SECRET, hmacKey: SECRET } } }],
    ['passwords', { password: SECRET, login: { password: SECRET, client_secret: SECRET } }],
    ['a URL in a field', { url: `https://example.com/sync?access_token=${SECRET}` }],
    ['an error', { err: new Error(`GET /sync?access_token=${SECRET} failed`) }],
    ['a PEM in text', { text: `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n` }],
  ])('in %s never reach the log', ([, fields]) => {
    const { logger, lines } = loggerWithLines();
    logger.info(fields, 'seen');
    logger.child(fields).info('seen');
    logger.info(`asked /x?access_token=${SECRET}`);
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(() => JSON.parse(line) as unknown).not.toThrow();
      expect(line).not.toContain(SECRET);
      expect(line).toContain('<redacted>');
    }
  });
});

describe('flushLogger', () => {
  it('resolves when an asynchronous destination has written', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-logger-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'log');
    const logger = createLogger({
      level: 'info',
      destination: pino.destination({ dest: file, sync: false, minLength: 4096 }),
    });
    logger.info('last words');
    await flushLogger(logger);
    expect(readFileSync(file, 'utf8')).toContain('last words');
  });

  it('resolves for a destination that cannot be flushed', async () => {
    await expect(flushLogger(loggerWithLines().logger)).resolves.toBeUndefined();
  });
});
