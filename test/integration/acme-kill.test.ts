/** An order whose process is killed at every step, and at every message, and then begun again. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OrderResult } from '../../src/acme/order.ts';
import { parseCertificate } from '../../src/base/certificate.ts';
import { FakeCa } from '../helpers/fake-ca/fake-ca.ts';
import type { ObtainTask } from '../helpers/fake-ca/obtain-process.ts';

const PROCESS = join(import.meta.dirname, '..', 'helpers', 'fake-ca', 'obtain-process.ts');

let ca: FakeCa;
let storeDirectory: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  ca = await FakeCa.start({ processingPolls: 1 });
  ca.faults.validate = () => null;
  storeDirectory = mkdtempSync(join(tmpdir(), 'portico-acme-'));
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await ca.close();
  rmSync(storeDirectory, { recursive: true });
});

interface Run {
  readonly child: ChildProcess;
  /** Null when it was killed. */
  readonly result: Promise<OrderResult | null>;
}

function run(dieAt: string | null): Run {
  const task: ObtainTask = { directoryUrl: ca.directoryUrl, caPem: ca.tlsCaPem, storeDirectory, dieAt };
  const child = spawn(process.execPath, [PROCESS], {
    env: { ...process.env, PORTICO_TEST_OBTAIN: JSON.stringify(task) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const result = new Promise<OrderResult | null>((resolve, reject) => {
    child.once('close', (code, signal) => {
      children.delete(child);
      if (signal === 'SIGKILL') resolve(null);
      else if (code === 0) resolve(JSON.parse(output) as OrderResult);
      else reject(new Error(`it ended with ${code}: ${errors}`));
    });
  });
  return { child, result };
}

function expectOneOfEach(result: OrderResult | null): void {
  expect(ca.accounts).toHaveLength(1);
  expect(ca.orders).toHaveLength(1);
  expect(ca.certificates).toHaveLength(1);
  // Throws when the key is another one.
  expect(parseCertificate(result?.chain ?? '', result?.key ?? '', 'acme').names).toEqual(['example.com']);
}

describe('75: a process that is killed', () => {
  it.each([
    'prepared',
    'placed',
    'presenting',
    'presented',
    'validating',
    'validated',
    'ready',
    'finalized',
    'issued',
    'downloaded',
  ])('at the step %s and started again ends in the same one certificate', async (step) => {
    expect(await run(step).result).toBeNull();
    expectOneOfEach(await run(null).result);
  });

  it('after every single message that the authority has acted on, one after the other, ends in the same one certificate', async () => {
    const acted: string[] = [];
    let current: Run | null = null;
    ca.faults.after = async (request, reply) => {
      // Reading leaves nothing behind at the authority, and has its own tests above.
      const isAct = ['newAccount', 'newOrder', 'challenge', 'finalize', 'certificate'].includes(request.kind);
      if (!isAct || acted.includes(request.kind)) return reply;
      acted.push(request.kind);
      current?.child.kill('SIGKILL');
      await current?.result;
      return reply;
    };
    let result: OrderResult | null = null;
    for (let start = 0; result === null && start < 10; start += 1) {
      current = run(null);
      result = await current.result;
    }
    expect(acted).toEqual(['newAccount', 'newOrder', 'challenge', 'finalize', 'certificate']);
    expectOneOfEach(result);
  }, 60_000);

  it('leaves keys that nobody else can read', async () => {
    expect(await run('placed').result).toBeNull();
    const files = readdirSync(storeDirectory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const keys = files.filter(({ name }) => name.endsWith('.json'));
    expect(keys.map(({ name }) => name).toSorted()).toEqual(['account.json', 'example.json']);
    for (const { parentPath, name } of keys) expect(statSync(join(parentPath, name)).mode & 0o777).toBe(0o600);
  });
});
