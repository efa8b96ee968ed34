/** Limits that would cut working homeservers, or that contradict each other. Warnings: the choice is the operator's. */
import { formatDuration } from '../../base/duration.ts';
import { formatSize } from '../../base/size.ts';
import type { ProblemCode } from '../codes.ts';
import { errorAt, type Finding } from '../problem.ts';
import { sectionCheck } from './check.ts';

/** What Synapse takes as the body of a federation transaction: 200 × 65,536 bytes (`synapse/api/constants.py`). */
const TRANSACTION_BYTES = 13_107_200;

function warningAt(path: readonly (string | number)[], code: ProblemCode, message: string, fix: string): Finding {
  return { ...errorAt(path, code, message, fix), severity: 'warning' };
}

/** Below these values homeservers, clients or peers fail in ways that are hard to trace back to a limit. */
export const limitsHighEnough = sectionCheck(['limits'], ({ limits }) => {
  const { classes } = limits;
  const findings: Finding[] = [];
  const low = (path: string[], harm: string, least: string): void => {
    findings.push(
      warningAt(['limits', ...path], 'CONFIG_LIMIT_TOO_LOW', harm, `remove it, or raise it to at least ${least}`),
    );
  };
  if (classes.transaction.max_body < TRANSACTION_BYTES) {
    const harm = `federation transactions of more than ${formatSize(classes.transaction.max_body)} are refused, and their messages are lost to this server`;
    low(
      ['classes', 'transaction', 'max_body'],
      harm,
      `${formatSize(TRANSACTION_BYTES)} (what Synapse takes; the default is 16MiB)`,
    );
  }
  for (const [name, least, harm] of [
    ['sync', 60_000, 'long polls are cut'],
    ['join', 60_000, 'joins of large rooms fail'],
    ['transaction', 60_000, 'peers take this server for dead and stay away for 10 minutes or more'],
  ] as const) {
    const value = classes[name].response_head;
    if (value >= least) continue;
    low(
      ['classes', name, 'response_head'],
      `with only ${formatDuration(value)} for an answer ${harm}`,
      formatDuration(least),
    );
  }
  return findings;
});

/** Pairs of which one never counts. */
export const limitsAgree = sectionCheck(['limits'], ({ limits }) => {
  const findings: Finding[] = [];
  const contradiction = (key: string, message: string, fix: string): void => {
    findings.push(warningAt(['limits', key], 'CONFIG_LIMIT_CONTRADICTION', message, fix));
  };
  if (limits.max_target > limits.max_head) {
    const sizes = `${formatSize(limits.max_target)} in a head of at most ${formatSize(limits.max_head)}`;
    contradiction('max_target', `a request target of ${sizes} never fits`, 'lower max_target or raise max_head');
  }
  if (limits.connections_per_address > limits.max_connections) {
    const numbers = `${String(limits.connections_per_address)} connections per address, but only ${String(limits.max_connections)} in all`;
    contradiction(
      'connections_per_address',
      `${numbers}: one client can take them all`,
      'lower it, or raise max_connections',
    );
  }
  if (limits.upstream_idle >= 60_000) {
    const message = `idle connections are kept for ${formatDuration(limits.upstream_idle)}, but Synapse closes them after 60s: requests would meet closed connections`;
    contradiction('upstream_idle', message, 'choose a value below 60s, such as 25s');
  }
  return findings;
});
