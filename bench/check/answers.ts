/** Whether a contender does its job: every case over every protocol it speaks, seen from both ends. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from '../contenders/contender.ts';
import { startInstance } from '../contenders/instance.ts';
import { runLoader } from '../load/loader.ts';
import type { Stand } from '../setup/stand.ts';
import { CASES, noise } from './cases.ts';
import type { Case } from './cases.ts';
import { hostOf, send } from './clients.ts';
import { hashOf, startRecordingBackend } from './recording-backend.ts';
import type { RecordingBackend, Seen } from './recording-backend.ts';

/** What is wrong with an answer and with what the backend saw; empty when nothing is. */
export function judge(
  one: Case,
  host: string,
  answer: { readonly status: number; readonly body: Buffer },
  seen: readonly Seen[],
): string[] {
  const wrong: string[] = [];
  const expected = one.method === 'HEAD' ? Buffer.alloc(0) : noise(one.answerBytes);
  if (answer.status !== 200) wrong.push(`status ${String(answer.status)} instead of 200`);
  if (!answer.body.equals(expected))
    wrong.push(`a body of ${String(answer.body.length)} bytes that is not the backend's`);
  const [first, ...more] = seen;
  if (first === undefined) return [...wrong, 'the backend saw nothing'];
  if (more.length > 0) wrong.push(`the backend saw ${String(seen.length)} requests`);
  if (first.method !== one.method) wrong.push(`the backend saw the method ${first.method}`);
  if (first.target !== one.target) wrong.push(`the backend saw the target ${first.target}`);
  if (first.host !== host) wrong.push(`the backend saw Host ${first.host} instead of ${host}`);
  if (first.bodyHash !== hashOf(one.body)) wrong.push(`the backend saw another body, ${String(first.bodyBytes)} bytes`);
  return wrong;
}

/** Starts a contender and sends everything through it. Returns what is wrong, in a line each. */
export async function checkContender(stand: Stand, contender: Contender, thoroughPort: number): Promise<string[]> {
  const backend = await startRecordingBackend();
  try {
    return [
      ...(await checkRequests(stand, contender, backend)),
      ...(contender.speaks.has('websocket') ? await checkWebSocket(stand, contender, thoroughPort) : []),
    ];
  } finally {
    await backend.close();
  }
}

async function checkRequests(stand: Stand, contender: Contender, backend: RecordingBackend): Promise<string[]> {
  const instance = await startInstance(stand, contender, backend.port);
  const ca = readFileSync(join(stand.directory, 'tls', 'ca.pem'), 'utf8');
  const wrong: string[] = [];
  try {
    for (const protocol of ['h1', 'h2'] as const) {
      if (!contender.speaks.has(protocol)) continue;
      for (const one of CASES) {
        let found: string[];
        try {
          const answer = await send(protocol, instance.port, ca, one);
          found = judge(one, hostOf(instance.port), answer, backend.take());
        } catch (error) {
          backend.take();
          found = [error instanceof Error ? error.message : String(error)];
        }
        wrong.push(...found.map((text) => `${one.title}, ${protocol}: ${text}`));
      }
    }
    return wrong;
  } finally {
    await instance.stop();
  }
}

async function checkWebSocket(stand: Stand, contender: Contender, thoroughPort: number): Promise<string[]> {
  const instance = await startInstance(stand, contender, thoroughPort);
  try {
    const { requests, errors, problem } = await runLoader(stand, 'websocket', instance.port, {
      path: '/_matrix/client/unstable/echo',
      flags: ['-seconds', '0.2', '-connections', '2'],
      limitMs: 15_000,
    });
    if (errors > 0) return [`WebSocket: ${problem}`];
    return requests > 0 ? [] : ['WebSocket: no message came back'];
  } finally {
    await instance.stop();
  }
}
