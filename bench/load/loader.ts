/** The clients of bench/loader. */
import { SERVER_NAME } from '../setup/stand.ts';
import type { Stand } from '../setup/stand.ts';
import { runLoad } from './outcome.ts';
import type { Outcome } from './outcome.ts';

/** What every client of it prints, and what some add. */
interface Report {
  readonly requests: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  readonly worst?: number;
  readonly late?: number;
  readonly seconds?: number;
}

/** Whom a client talks to, and what else it is told. */
export interface LoaderOptions {
  readonly path: string;
  readonly name?: string;
  readonly flags: readonly string[];
  /** How long it may take, in milliseconds. */
  readonly limitMs: number;
}

/** Arguments of a client that talks to this port. */
export function loaderArguments(client: string, port: number, options: Omit<LoaderOptions, 'limitMs'>): string[] {
  const address = `127.0.0.1:${String(port)}`;
  return [client, '-address', address, '-name', options.name ?? SERVER_NAME, '-path', options.path, ...options.flags];
}

/** Runs a client to its end. */
export async function runLoader(
  stand: Stand,
  client: string,
  port: number,
  options: LoaderOptions,
): Promise<Outcome & { readonly report: Report }> {
  const args = loaderArguments(client, port, options);
  const report = JSON.parse(await runLoad(stand.cpus.load, stand.loader, args, options.limitMs)) as Report;
  const { requests, errors, firstError = '' } = report;
  return { requests, errors, problem: errors > 0 ? `${String(errors)} × ${firstError}` : '', report };
}
