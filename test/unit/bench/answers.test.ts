/** The check before the timing must find every way in which a proxy can be quick and wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../../../bench/check/answers.ts';
import { CASES, noise } from '../../../bench/check/cases.ts';
import type { Case } from '../../../bench/check/cases.ts';
import { hashOf, startRecordingBackend } from '../../../bench/check/recording-backend.ts';
import type { RecordingBackend, Seen } from '../../../bench/check/recording-backend.ts';

const PUT: Case = { title: 'PUT', method: 'PUT', target: '/a%2Fb', body: noise(100), answerBytes: 51 };
const SEEN: Seen = { method: 'PUT', target: '/a%2Fb', host: 'h:1', bodyHash: hashOf(noise(100)), bodyBytes: 100 };
const GOOD = { status: 200, body: noise(51) };

describe('judge', () => {
  it('has nothing to say when all is right', () => {
    expect(judge(PUT, 'h:1', GOOD, [SEEN])).toEqual([]);
  });

  it.for([
    ['another status', { ...GOOD, status: 502 }, [SEEN], 'status 502 instead of 200'],
    ['a body cut short', { ...GOOD, body: noise(50) }, [SEEN], "a body of 50 bytes that is not the backend's"],
    ['a request that never came', GOOD, [], 'the backend saw nothing'],
    ['a request sent twice', GOOD, [SEEN, SEEN], 'the backend saw 2 requests'],
    ['another method', GOOD, [{ ...SEEN, method: 'POST' }], 'the backend saw the method POST'],
    ['a target that was decoded', GOOD, [{ ...SEEN, target: '/a/b' }], 'the backend saw the target /a/b'],
    ['another Host', GOOD, [{ ...SEEN, host: 'h' }], 'the backend saw Host h instead of h:1'],
    ['another body', GOOD, [{ ...SEEN, bodyHash: 'x' }], 'the backend saw another body, 100 bytes'],
  ] as const)('sees %s', ([, answer, seen, text]) => {
    expect(judge(PUT, 'h:1', answer, seen)).toEqual([text]);
  });

  it('wants no body of HEAD', () => {
    const head: Case = { ...PUT, method: 'HEAD', body: Buffer.alloc(0) };
    const seen = { ...SEEN, method: 'HEAD', bodyHash: hashOf(Buffer.alloc(0)) };
    expect(judge(head, 'h:1', { status: 200, body: Buffer.alloc(0) }, [seen])).toEqual([]);
    expect(judge(head, 'h:1', GOOD, [seen])).toHaveLength(1);
  });
});

describe('the recording backend', () => {
  let backend: RecordingBackend;
  beforeAll(async () => {
    backend = await startRecordingBackend();
  });
  afterAll(() => backend.close());

  it('tells the bytes of the target, Host and the hash of the body, once', async () => {
    const url = `http://127.0.0.1:${backend.port}/a%2Fb?c=%20d`;
    const response = await fetch(url, { method: 'PUT', body: new Uint8Array(noise(100)) });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(noise(51));
    const host = `127.0.0.1:${backend.port}`;
    expect(backend.take()).toEqual([{ ...SEEN, target: '/a%2Fb?c=%20d', host }]);
    expect(backend.take()).toEqual([]);
  });
});

it('the cases are told apart by their titles', () => {
  expect(new Set(CASES.map(({ title }) => title)).size).toBe(CASES.length);
});
