import { expect, it } from 'vitest';
import { liveLine } from '../../../../src/cli/demo/live-line.ts';
import { AccessLog } from '../../../../src/observability/access-log.ts';
import type { AccessEntry } from '../../../../src/observability/access-entry.ts';
import { recordingTerminal } from '../recording-terminal.ts';

const entry: AccessEntry = {
  time: Date.parse('2026-11-21T12:00:01'),
  site: 'localhost',
  requestClass: 'sync',
  method: 'GET',
  target: '/_matrix/client/v3/sync?access_token=secret',
  status: 200,
  outcome: 'complete',
  errorCode: null,
  bytesIn: 0,
  bytesOut: 84,
  durationMs: 1.2,
  upstreamMs: 1,
  upstream: 'http://127.0.0.1:8008',
  tls: 'TLSv1.3',
  protocol: 'HTTP/1.1',
  peer: '127.0.0.1',
  requestId: 'r1',
  authorization: null,
};

/** The line that the access log writes for an exchange. */
function accessLine(exchange: AccessEntry): string {
  let line = '';
  const log = new AccessLog({ originOf: () => null, write: (batch) => (line += batch) });
  log.record(exchange);
  log.close();
  return line;
}

it('shows a line of the access log to people', () => {
  const line = liveLine(accessLine(entry), 0, recordingTerminal());
  expect(line).toMatch(/^12:00:01 200 GET {2}\/_matrix\/client\/v3\/sync\S* sync, 1\.2 ms, 84 B, relayed$/);
  expect(line).not.toContain('secret');
});

it('says how an exchange ended that was not complete, and who answered', () => {
  const gone = { ...entry, status: 0, outcome: 'client_gone', upstream: null } as const;
  expect(liveLine(accessLine(gone), 0, recordingTerminal())).toMatch(
    /^12:00:01 --- .*answered by Portico \(client gone\)$/,
  );
});

it('colours the status on a terminal that has colour', () => {
  const code = (status: number) => liveLine(accessLine({ ...entry, status }), 0, recordingTerminal(true));
  expect(code(200)).toContain('\u001b[32m200\u001b[0m');
  expect(code(404)).toContain('\u001b[33m404\u001b[0m');
  expect(code(502)).toContain('\u001b[31m502\u001b[0m');
});

it('leaves out what began before people looked', () => {
  const terminal = recordingTerminal();
  expect(liveLine(accessLine(entry), entry.time + 1, terminal)).toBeNull();
  expect(liveLine(accessLine(entry), entry.time, terminal)).not.toBeNull();
});
