/** Asks a running Portico through its admin socket. */
import { request, type IncomingMessage } from 'node:http';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import {
  ADMIN_ROUTES,
  type AdminRoute,
  type CanaryReport,
  type CertificateRow,
  type DrainReport,
  type ErrorReport,
  type ProblemRow,
  type ReloadReport,
  type RenewReport,
  type RolloverReport,
  type StatusReport,
} from './api.ts';

/** What each question is answered with. */
export interface AdminReports {
  status: StatusReport;
  reload: ReloadReport;
  drain: DrainReport;
  certificates: { readonly certificates: readonly CertificateRow[] };
  renew: RenewReport;
  rollover: RolloverReport;
  canary: CanaryReport;
}

/** What the running process said no with. */
export class AdminRefusal extends PorticoError {
  /** Of the config, when that is what was wrong. */
  readonly problems: readonly ProblemRow[];

  constructor({ error, problems }: ErrorReport) {
    super(error.code, error.message, error.fix === null ? {} : { fix: error.fix });
    this.problems = problems;
  }
}

/** A reload with many files, a renewal by a slow disk. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** The list of 100 000 certificates has some 40 MB. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/**
 * Asks one question.
 * @param path - of the socket
 * @throws PorticoError `ADMIN_NOT_RUNNING` when nobody listens there, `ADMIN_NOT_PERMITTED`, `ADMIN_NO_ANSWER`;
 * {@link AdminRefusal} with the process's own code when it says no
 */
export async function askAdmin<Route extends AdminRoute>(
  path: string,
  route: Route,
  body: Readonly<Record<string, string>> | null = null,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<AdminReports[Route]> {
  let status: number;
  let text: string;
  try {
    ({ status, text } = await exchange(path, route, body === null ? '' : JSON.stringify(body), timeoutMs));
  } catch (cause) {
    throw unreachable(path, cause);
  }
  const report = parse(text);
  if (report === null) throw unreachable(path, new Error('the answer is no JSON object'));
  if (status < 300) return report as AdminReports[Route];
  if ('error' in report) throw new AdminRefusal(report as ErrorReport);
  throw unreachable(path, new Error(`status ${String(status)}`));
}

function exchange(
  socketPath: string,
  route: AdminRoute,
  body: string,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const { method, path } = ADMIN_ROUTES[route];
  return new Promise((resolve, reject) => {
    const headers = { Host: 'portico', 'Content-Length': Buffer.byteLength(body) };
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      readAll(response).then((text) => {
        resolve({ status: response.statusCode ?? 0, text });
      }, reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function unreachable(path: string, cause: unknown): PorticoError {
  switch (codeOf(cause)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new PorticoError('ADMIN_NOT_RUNNING', `No Portico answers at ${path}.`, {
        fix: 'Start it with `portico run`, or name the config it was started with: --config.',
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new PorticoError('ADMIN_NOT_PERMITTED', `This user may not open ${path}.`, {
        fix: 'Run the command as the user that Portico runs as (sudo -u …).',
        cause,
      });
    default:
      return new PorticoError('ADMIN_NO_ANSWER', `The Portico at ${path} gave no answer: ${messageOf(cause)}.`, {
        fix: 'Try again; if it stays like that, look at its log.',
        cause,
      });
  }
}
