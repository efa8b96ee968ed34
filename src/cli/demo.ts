/**
 * `portico demo`: the real thing on this machine alone. A demo homeserver, a local CA, unprivileged ports on loopback; then
 * checks over real TLS, what to try next, and a line for everything that passes through.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../app.ts';
import type { App } from '../app.ts';
import { formatProblem, loadConfig } from '../config/index.ts';
import { createLogger } from '../observability/logger.ts';
import { EXIT } from './command.ts';
import type { Command } from './command.ts';
import { runChecks } from './demo/checks.ts';
import type { DemoFront } from './demo/checks.ts';
import { demoBaseUrl, demoConfigText } from './demo/config-text.ts';
import type { DemoSetting } from './demo/config-text.ts';
import { startDemoHomeserver } from './demo/homeserver.ts';
import { liveLine } from './demo/live-line.ts';
import { examineDemo, type DemoPatient } from './demo/own-doctor.ts';
import { freePort } from './demo/ports.ts';
import { thingsToTry } from './demo/things-to-try.ts';
import { diagnosisLines } from './doctor/text.ts';
import { warnAboutNode } from './node-floor.ts';
import { endOnUncaught, serveUntilSignal } from './serve.ts';
import { reportStartError } from './start-error.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { porticoVersion } from './version.ts';

const HOST = '127.0.0.1';
/** Nobody waits for the demo's long polls. */
const STOP_DEADLINE_MS = 1000;
/** 128 + SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;

/** Adds what must be undone; `undoAll` does so in reverse order. */
class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async undoAll(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}

async function demo(once: boolean, terminal: Terminal, cleanup: Cleanup): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'portico-demo-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const interrupted = (): void => {
    cleanup.undoAll().then(
      () => process.exit(EXIT_INTERRUPTED),
      (error: unknown) => process.exit(reportStartError(error, terminal)),
    );
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const ports = {
    https: await freePort(HOST, 8443),
    federation: await freePort(HOST, 8448),
    http: await freePort(HOST, 8080),
  };
  // Without delegation peers come to port 8448; where that is taken, the server name has to carry the port.
  const serverName = ports.federation === 8448 ? 'localhost' : `localhost:${String(ports.federation)}`;
  const homeserver = await startDemoHomeserver(serverName, porticoVersion());
  cleanup.add(() => homeserver.close());

  const setting: DemoSetting = { serverName, homeserverUrl: homeserver.url, host: HOST, ports };
  const configPath = join(directory, 'portico.yaml');
  await writeFile(configPath, demoConfigText(setting));
  const loaded = await loadConfig({ path: configPath, env: {} });
  if (!loaded.ok) throw new Error(`the demo's own config is refused: ${loaded.problems.map(formatProblem).join('; ')}`);

  let liveSince = Infinity;
  const logger = createLogger({ level: 'warn', destination: { write: (line) => terminal.err(line.trimEnd()) } });
  const accessLogStream = {
    write: (lines: string) => {
      for (const json of lines.trimEnd().split('\n')) {
        const line = liveLine(json, liveSince, terminal);
        if (line !== null) terminal.out(line);
      }
    },
  };
  const app = createApp({ config: loaded.config, logger, accessLogStream, version: porticoVersion() });
  cleanup.add(() => app.stop(STOP_DEADLINE_MS));
  await app.start();
  const caPath = join(directory, 'ca.pem');
  const ca = app.localCaPem();
  if (ca === null) throw new Error('the local CA did not start');
  await writeFile(caPath, ca);

  printStarted(app, setting, configPath, terminal);
  const fine = await checkItself(setting, ca, terminal);
  if (!once) {
    for (const line of thingsToTry(setting, caPath, app.metricsAddress())) terminal.out(line);
    terminal.out('');
  }
  const [site] = loaded.config.sites;
  if (site === undefined) throw new Error("the demo's own config has no site");
  const healthy = await seeTheDoctor({ setting, site, ca, canary: () => app.canaryQuestion() }, terminal);
  if (once) return fine && healthy ? EXIT.fine : EXIT.notFine;

  terminal.out('');
  terminal.out(paint(terminal, 'bold', 'What passes through (Ctrl-C ends the demo):'));
  liveSince = Date.now();
  const exit = (code: number): void => process.exit(code);
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  const forget = endOnUncaught({ logger, signals: process, exit });
  const stop = async (): Promise<void> => {
    liveSince = Infinity;
    await cleanup.undoAll();
  };
  const code = await serveUntilSignal({ stop, reload: null, logger, signals: process, exit });
  forget();
  return code;
}

function printStarted(app: App, setting: DemoSetting, configPath: string, terminal: Terminal): void {
  terminal.out(paint(terminal, 'bold', `portico ${porticoVersion()} demo`));
  terminal.out(
    `  homeserver   ${setting.serverName} at ${setting.homeserverUrl} (embedded, in memory, user demo, password demo)`,
  );
  for (const { role, host, port } of app.addresses()) {
    terminal.out(`  ${role.padEnd(12)} ${host}:${String(port)}`);
  }
  terminal.out(`  config       ${configPath}`);
  terminal.out('');
}

async function checkItself(setting: DemoSetting, ca: string, terminal: Terminal): Promise<boolean> {
  const target = (port: number) => ({ host: setting.host, port, servername: 'localhost', ca });
  const front: DemoFront = {
    serverName: setting.serverName,
    baseUrl: demoBaseUrl(setting),
    https: target(setting.ports.https),
    federation: target(setting.ports.federation),
    http: { ...target(setting.ports.http), ca: null },
  };
  terminal.out(paint(terminal, 'bold', 'Checked over TLS, as clients and peers would:'));
  let passed = 0;
  let failed = 0;
  await runChecks(front, ({ name, ok, detail }) => {
    if (ok) passed++;
    else failed++;
    const mark = ok ? paint(terminal, 'green', '✓') : paint(terminal, 'red', '✗');
    terminal.out(`  ${mark} ${name.padEnd(34)} ${ok ? paint(terminal, 'dim', detail) : detail}`);
  });
  terminal.out(`  ${String(passed)} fine, ${String(failed)} not`);
  terminal.out('');
  return failed === 0;
}

/** Every finding counts: the demo has no reason to have any. */
async function seeTheDoctor(patient: DemoPatient, terminal: Terminal): Promise<boolean> {
  terminal.out(paint(terminal, 'bold', 'Its own doctor (portico doctor), from outside in:'));
  const diagnosis = await examineDemo(patient);
  for (const line of diagnosisLines(diagnosis, terminal)) terminal.out(line === '' ? '' : `  ${line}`);
  return diagnosis.findings.length === 0;
}

/** The command. */
export const demoCommand: Command = {
  description: `Starts Portico in front of a small embedded homeserver, on loopback and without privileges: https on 8443,
federation on 8448, http on 8080 (other ports where these are taken), certificates from a local CA made for the
occasion. Checks itself over TLS, prints what to try and what its doctor says, and then a line for each request. Leaves
nothing behind.`,
  flags: { once: { type: 'boolean', help: 'check and end: exit code 0 when all is fine, 1 when not' } },
  async run(flags, terminal) {
    warnAboutNode(process.versions.node, terminal);
    const cleanup = new Cleanup();
    try {
      return await demo(flags.once === true, terminal, cleanup);
    } catch (error) {
      return reportStartError(error, terminal);
    } finally {
      await cleanup.undoAll();
    }
  },
};
