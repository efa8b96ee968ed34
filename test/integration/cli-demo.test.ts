/** `portico demo` as a newcomer runs it: what it prints, that its lines work, and that nothing is left behind. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCliProcess, startCli } from './cli-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-cli-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** GET with the certificate verified against the CA file, as the printed curl lines do. */
async function get(url: string, caPath: string): Promise<{ status: number; text: string }> {
  const ca = await readFile(caPath, 'utf8');
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false, family: 4 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end();
  });
}

describe('portico demo', () => {
  it('--once checks itself over TLS, ends with 0 and leaves nothing behind', async () => {
    const { code, stdout } = await runCliProcess(['demo', '--once'], { env: { TMPDIR: directory } });
    expect(stdout).not.toContain('✗');
    expect(stdout.match(/✓/g)?.length).toBeGreaterThanOrEqual(12);
    expect(stdout).toMatch(/ {2}\d+ fine, 0 not\n/);
    // The report of its own doctor, with a canary that came back as it was sent.
    expect(stdout).toMatch(/Its own doctor.*\n {2}localhost(:\d+)? {2}✓ everything is fine\n/);
    expect(stdout).toMatch(/✓ 127\.0\.0\.1:\d+ {2}TLS 1\.3 · .* · URIs unchanged · /);
    expect(code).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  it('prints no colour into a pipe', async () => {
    const { stdout, stderr } = await runCliProcess(['demo', '--once'], { env: { TMPDIR: directory } });
    expect(stdout + stderr).not.toContain('\u001b');
  });

  it('serves until Ctrl-C, with a line for each request', async () => {
    await using demo = startCli(['demo'], { env: { TMPDIR: directory } });
    await demo.seen(/Try, from another shell:[^]*Its own doctor[^]*everything is fine[^]*What passes through/);
    const [, caPath = '', url = ''] = await demo.seen(
      /curl --cacert (\S+) (https:\/\/localhost:\d+\/_matrix\/key\/v2\/server)/,
    );
    expect(await get(url, caPath)).toMatchObject({ status: 200, text: expect.stringContaining('"verify_keys"') });
    await demo.seen(/ 200 GET {2}\/_matrix\/key\/v2\/server federation, .* relayed\n/);
    // The checks of the start came before: what is shown is what passed since.
    expect(demo.stdout().split('What passes through')[1]).not.toContain('no_such_thing');

    demo.kill('SIGINT');
    expect(await demo.ended).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  it('two at the same time take different ports', async () => {
    const options = { env: { TMPDIR: directory } };
    await using first = startCli(['demo'], options);
    await first.seen(/What passes through/);
    const second = await runCliProcess(['demo', '--once'], options);
    expect(second).toMatchObject({ code: 0 });
    const ports = (text: string) =>
      [...text.matchAll(/^ {2}(?:https|federation|http) +127\.0\.0\.1:(\d+)$/gm)].map((m) => m[1]);
    expect(ports(second.stdout)).toHaveLength(3);
    for (const port of ports(second.stdout)) expect(ports(first.stdout())).not.toContain(port);
    first.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  });
});
