/** Turns the access log's JSON lines into lines for people: what passes through the demo, as it passes. */
import { paint } from '../terminal.ts';
import type { Style, Terminal } from '../terminal.ts';

/** The fields of an access log line that are shown. */
interface Line {
  time: number;
  class: string;
  method: string;
  path: string;
  status: number;
  outcome: string;
  bytes_out: number;
  duration_ms: number;
  upstream: string | null;
}

function statusStyle(status: number): Style {
  if (status >= 500) return 'red';
  if (status >= 400) return 'yellow';
  return 'green';
}

/**
 * One line for people, such as `12:00:01 200 GET /_matrix/client/versions client, 1.2 ms, 84 B, relayed`.
 * @param since - milliseconds since the epoch; what began earlier (the demo's own checks) is not shown
 * @returns null for a line that is not shown
 */
export function liveLine(json: string, since: number, terminal: Terminal): string | null {
  const line = JSON.parse(json) as Line;
  if (line.time < since) return null;
  const time = new Date(line.time).toTimeString().slice(0, 8);
  const status = line.status === 0 ? '---' : String(line.status);
  const by = line.upstream === null ? 'answered by Portico' : 'relayed';
  const end =
    line.outcome === 'complete' || line.outcome === 'refused' ? '' : ` (${line.outcome.replaceAll('_', ' ')})`;
  return [
    paint(terminal, 'dim', time),
    paint(terminal, statusStyle(line.status), status),
    line.method.padEnd(4),
    line.path,
    paint(terminal, 'dim', `${line.class}, ${String(line.duration_ms)} ms, ${String(line.bytes_out)} B, ${by}${end}`),
  ].join(' ');
}
