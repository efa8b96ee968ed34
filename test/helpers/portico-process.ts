/** Portico as a process of its own (`portico run`), for what must be seen from outside: its resident memory. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from './eventually.ts';
import { baseConfig } from './portico.ts';
import type { ConfigInput } from './portico.ts';
import type { Stage } from './stage.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** A running process with one https listener. */
export interface PorticoProcess {
  readonly port: number;
  /** PEM of the local CA. */
  readonly ca: string;
  /** Resident memory in bytes, as the kernel counts it (Linux only). */
  rss(): Promise<number>;
  /** Everything it wrote to stdout and stderr. */
  output(): string;
}

/** Starts it; it is killed when the test ends. */
export async function startPorticoProcess(
  stage: Stage,
  homeserver: string,
  configure: (config: ConfigInput) => void = () => undefined,
): Promise<PorticoProcess> {
  const directory = await stage.directory();
  const store = join(directory, 'store');
  const input = baseConfig(homeserver, store);
  input.listeners = [{ address: '127.0.0.1:0', role: 'https' }];
  input.log = { level: 'info', access: false };
  input.metrics = { listen: 'off' };
  configure(input);
  const file = join(directory, 'portico.yaml');
  await writeFile(file, stringify(input));
  const child = spawn(process.execPath, [MAIN, 'run', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  stage.onClose(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  });
  const port = await eventually(() => {
    const match = /"role":"https","host":"127\.0\.0\.1","port":(\d+)/.exec(output);
    if (match === null) throw new Error(`it does not serve: ${output}`);
    return Number(match[1]);
  }, 20_000);
  return {
    port,
    ca: await readFile(join(store, 'local_ca', 'ca.pem'), 'utf8'),
    rss: async () => {
      const status = await readFile(`/proc/${String(child.pid)}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
    },
    output: () => output,
  };
}
