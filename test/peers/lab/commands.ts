/** Portico's own commands as an operator runs them on a host from which the servers are seen from outside. */
import { execFile } from 'node:child_process';
import { porticoMain } from './front.ts';

const LIMIT_MS = 120_000;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** What the doctor says. */
export interface Finding {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'info';
  readonly seen: string;
}

/** Where peers end up, of `portico resolve --json`. */
export interface Place {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly host: string;
  readonly sni: string | null;
}

/** Runs them where this process is. */
export class Commands {
  readonly #network: readonly string[];

  /** @param caFile - the lab's CA, which only the lab trusts; its addresses are private as well */
  constructor(caFile: string, dns: string) {
    this.#network = ['--ca-file', caFile, '--dns', dns, '--allow-private', '--json'];
  }

  /**
   * `portico resolve`
   *
   * @throws Error when nothing was found
   */
  async resolve(serverName: string): Promise<readonly Place[]> {
    const { code, json } = await this.#run(['resolve', serverName]);
    if (code !== 0) throw new Error(`portico resolve ${serverName} ended with exit code ${code}`);
    return (json as { results: Place[] }).results;
  }

  /**
   * `portico doctor`: the findings, worst first.
   *
   * @param configPath - of the Portico that is looked at; null: as a stranger looks at it
   * @throws Error when its exit code is not that of its findings
   */
  async doctor(serverName: string, configPath: string | null): Promise<readonly Finding[]> {
    const { code, json } = await this.#run([
      'doctor',
      serverName,
      ...(configPath === null ? [] : ['--config', configPath]),
    ]);
    const findings = (json as { servers: { findings: Finding[] }[] }).servers.flatMap((server) => server.findings);
    const expected = findings.some(({ severity }) => severity === 'error') ? 1 : 0;
    if (code !== expected) throw new Error(`portico doctor ${serverName} ended with exit code ${code}`);
    return findings;
  }

  #run(args: readonly string[]): Promise<{ code: number; json: unknown }> {
    const line = [porticoMain(), ...args, ...this.#network];
    return new Promise((resolve, reject) => {
      const limits = { timeout: LIMIT_MS, maxBuffer: MAX_OUTPUT };
      const child = execFile(process.execPath, line, limits, (error, stdout, stderr) => {
        const code = child.exitCode;
        // 1 says that there are errors; what else ends without JSON could not do its work.
        if (code !== 0 && code !== 1) {
          reject(
            new Error(`portico ${args.join(' ')}: exit code ${code ?? 'none'}: ${stderr || (error?.message ?? '')}`),
          );
          return;
        }
        // Without a canary nothing is known of changed URIs; the lab wants to know.
        if (stderr.includes('canary')) reject(new Error(`portico ${args.join(' ')}: ${stderr}`));
        else resolve({ code, json: JSON.parse(stdout) });
      });
    });
  }
}
