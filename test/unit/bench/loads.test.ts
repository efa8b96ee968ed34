/** What is read from the reports of load generators: a mistake must not pass as speed. */
import { describe, expect, it } from 'vitest';
import { h2loadArguments, parseH2load } from '../../../bench/load/h2load.ts';
import { luaString, parseWrk, wrkScript } from '../../../bench/load/wrk.ts';
import { profile } from '../../../bench/rows/mixed.ts';

function h2loadReport(counts: string, statuses: string, protocol = 'h2'): string {
  return `starting benchmark...
Application protocol: ${protocol}

finished in 1.00s, 26391.00 req/s, 2.53MB/s
requests: ${counts}
status codes: ${statuses}
traffic: 2.53MB (2654432) total
`;
}
const FINE = '100 total, 100 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout';

describe('parseH2load', () => {
  it('counts what succeeded', () => {
    const outcome = parseH2load(h2loadReport(FINE, '100 2xx, 0 3xx, 0 4xx, 0 5xx'));
    expect(outcome).toEqual({ requests: 100, errors: 0, problem: '' });
  });

  it('sees statuses that are no success, failures and another protocol', () => {
    const one = parseH2load(
      h2loadReport(FINE.replace('100 succeeded, 0 failed', '90 succeeded, 10 failed'), '90 2xx, 0 3xx, 4 4xx, 6 5xx'),
    );
    expect(one.errors).toBe(20);
    expect(one.problem).toBe('failed: 10, status 4xx: 4, status 5xx: 6');
    expect(parseH2load(h2loadReport(FINE, '100 2xx, 0 3xx, 0 4xx, 0 5xx', 'http/1.1')).problem).toBe(
      'spoke http/1.1: 1',
    );
  });

  it('does not take silence for an answer', () => {
    expect(() => parseH2load('starting benchmark...')).toThrow(/nothing of its result/);
  });
});

it('h2load is told method and body', () => {
  const load = {
    clients: 10,
    streams: 5,
    seconds: 2,
    method: 'PUT',
    target: '/x',
    headers: { a: 'b' },
    bodyFile: '/f',
  };
  const args = h2loadArguments(443, load).join(' ');
  expect(args).toContain('-c 10 -m 5 -D 2 -H :method: PUT -H a: b -d /f');
  expect(args).toMatch(/https:\/\/localhost:443\/x$/);
});

describe('wrk', () => {
  it('has its result in a line of JSON', () => {
    const line = 'JSON {"requests":41,"connect":0,"read":0,"write":0,"status":0,"timeout":0}';
    expect(parseWrk(`Running 1s test\n\n${line}\n`)).toEqual({ requests: 41, errors: 0, problem: '' });
  });

  it('tells every kind of error', () => {
    const line = 'JSON {"requests":41,"connect":1,"read":2,"write":0,"status":3,"timeout":0}';
    expect(parseWrk(line)).toEqual({ requests: 41, errors: 6, problem: 'connect: 1, read: 2, status: 3' });
    expect(() => parseWrk('')).toThrow(/nothing of its result/);
  });

  it('writes Lua strings that mean what was meant', () => {
    expect(luaString('a"b\\c\nd')).toBe('"a\\034b\\092c\\010d"');
  });

  it('puts every request into the script', () => {
    const script = wrkScript([{ method: 'PUT', target: '/a', headers: { 'X-Y': 'z' }, body: '{}' }]);
    expect(script).toContain('wrk.format("PUT", "/a", {["X-Y"]="z"}, "{}")');
  });
});

it('the mixed profile is of a hundred requests, equal ones apart', () => {
  const requests = profile();
  expect(requests).toHaveLength(100);
  const syncs = requests.flatMap(({ target }, index) => (target.includes('/sync') ? [index] : []));
  expect(syncs).toHaveLength(22);
  const gaps = syncs.slice(1).map((at, index) => at - (syncs[index] ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(11);
});
