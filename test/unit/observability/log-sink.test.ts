import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLogger, flushLogger } from '../../../src/observability/logger.ts';
import { openLogSink } from '../../../src/observability/log-sink.ts';

function temporaryFile(): { file: string; fd: number } {
  const directory = mkdtempSync(join(tmpdir(), 'portico-sink-'));
  const file = join(directory, 'log');
  const fd = openSync(file, 'w');
  onTestFinished(() => {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  return { file, fd };
}

describe('openLogSink', () => {
  it('writes lines in order and tells when they are written', async () => {
    const { file, fd } = temporaryFile();
    const sink = openLogSink({ fd });
    const lines = Array.from({ length: 1000 }, (_, at) => `line ${String(at)} é\n`);
    for (const line of lines) sink.write(line);
    expect(sink.pending()).toBeGreaterThan(0);
    await new Promise<void>((resolve) => sink.flush(resolve));
    expect(sink.pending()).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
  });

  it('has nothing to wait for when nothing was written', async () => {
    const { fd } = temporaryFile();
    await new Promise<void>((resolve) => openLogSink({ fd }).flush(resolve));
  });

  it('writes what is left at the end of the process', async () => {
    const { file, fd } = temporaryFile();
    const sink = openLogSink({ fd });
    sink.write('first\n');
    sink.write('last words\n');
    sink.flushSync();
    expect(readFileSync(file, 'utf8')).toContain('last words\n');
    await new Promise<void>((resolve) => sink.flush(resolve));
    expect(readFileSync(file, 'utf8').split('\n').toSorted()).toEqual(['', 'first', 'last words']);
  });

  it('serves a logger, too', async () => {
    const { file, fd } = temporaryFile();
    const logger = createLogger({ level: 'info', destination: openLogSink({ fd }) });
    logger.info('hello');
    await flushLogger(logger);
    expect(readFileSync(file, 'utf8')).toContain('"msg":"hello"');
  });

  it('drops and counts whole lines when its reader takes nothing', () => {
    const { fd } = temporaryFile();
    let dropped = 0;
    const sink = openLogSink({ fd, maxPending: 100, onDropped: (lines) => (dropped += lines) });
    sink.write(`${'a'.repeat(89)}\n`);
    sink.write(`${'b'.repeat(20)}\n${'c'.repeat(20)}\n`);
    sink.write('d\n');
    expect(dropped).toBe(2);
  });

  it('survives a reader that goes away, and counts what it missed', async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('log-sink-without-reader.ts', import.meta.url))], {
      stdio: 'pipe',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child.stderr, 'data');
    child.stdout.destroy();
    child.stdin.write('go');
    const [exitCode] = (await once(child, 'close')) as [number];
    expect(said).toBe('ready\ndropped 3\n');
    expect(exitCode).toBe(7);
  });
});
