/** h2load: HTTP/2 over TLS with so many clients and so many streams each, as fast as they are answered. */
import { SERVER_NAME } from '../setup/stand.ts';
import type { Stand } from '../setup/stand.ts';
import { runLoad } from './outcome.ts';
import type { Outcome } from './outcome.ts';

/** What h2load is told. */
export interface H2Load {
  readonly clients: number;
  /** Requests under way per client. */
  readonly streams: number;
  readonly seconds: number;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** File with the body, for methods that have one. */
  readonly bodyFile?: string;
}

/** Its arguments, without the program. */
export function h2loadArguments(port: number, load: H2Load): string[] {
  const headers = { ...(load.method === 'GET' ? {} : { ':method': load.method }), ...load.headers };
  return [
    ...['-t', '1', '-c', String(load.clients), '-m', String(load.streams), '-D', String(load.seconds)],
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...(load.bodyFile === undefined ? [] : ['-d', load.bodyFile]),
    `--connect-to=127.0.0.1:${String(port)}`,
    `https://${SERVER_NAME}:${String(port)}${load.target}`,
  ];
}

/** Reads its report. */
export function parseH2load(output: string): Outcome {
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(output);
  const statuses = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m.exec(output);
  if (counts === null || statuses === null) throw new Error(`h2load said nothing of its result: ${output.slice(-300)}`);
  // What failed counts as errored too.
  const [, succeeded = 0, failed = 0, errored = 0, timeouts = 0] = counts.map(Number);
  const [, , redirects = 0, clientErrors = 0, serverErrors = 0] = statuses.map(Number);
  const spoke = /^Application protocol: (.*)$/m.exec(output)?.[1] ?? 'nothing';
  const wrong = Object.entries({
    failed: Math.max(failed, errored),
    timeouts,
    'status 3xx': redirects,
    'status 4xx': clientErrors,
    'status 5xx': serverErrors,
    [`spoke ${spoke}`]: spoke === 'h2' ? 0 : 1,
  }).filter(([, count]) => count > 0);
  return {
    requests: succeeded,
    errors: wrong.reduce((sum, [, count]) => sum + count, 0),
    problem: wrong.map(([kind, count]) => `${kind}: ${String(count)}`).join(', '),
  };
}

/** Runs it. */
export async function runH2load(stand: Stand, port: number, load: H2Load): Promise<Outcome> {
  const limitMs = load.seconds * 1000 + 60_000;
  return parseH2load(await runLoad(stand.cpus.load, 'h2load', h2loadArguments(port, load), limitMs));
}
