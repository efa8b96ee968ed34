import { expect, it } from 'vitest';
import { PorticoError } from '../../../src/base/errors.ts';
import { reportStartError } from '../../../src/cli/start-error.ts';
import { recordingTerminal } from './recording-terminal.ts';

it('prints code, reason, fix and cause of a known error; exit code 2', () => {
  const terminal = recordingTerminal();
  const cause = new Error('listen EACCES: permission denied 0.0.0.0:443');
  const error = new PorticoError('LISTEN_NOT_PERMITTED', 'not permitted', { fix: 'use another port', cause });
  expect(reportStartError(error, terminal)).toBe(2);
  expect(terminal.errLines).toEqual([
    'portico: LISTEN_NOT_PERMITTED: not permitted',
    '  fix: use another port',
    '  cause: listen EACCES: permission denied 0.0.0.0:443',
  ]);
});

it('prints all there is of an unexpected error; exit code 1', () => {
  const terminal = recordingTerminal();
  expect(reportStartError(new TypeError('x is not a function'), terminal)).toBe(1);
  expect(terminal.errLines[0]).toBe('portico: unexpected error (UNKNOWN): x is not a function');
  expect(terminal.errLines.join('\n')).toContain('start-error.test.ts');
});
