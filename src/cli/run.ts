/** `portico run`: serves until a signal says otherwise. */
import { createApp } from '../app.ts';
import type { AdminApi } from '../admin/api.ts';
import { startAdminServer, type AdminServer } from '../admin/server.ts';
import type { LoadResult, Problem } from '../config/index.ts';
import { codeOf, PorticoError } from '../base/errors.ts';
import { createLogger } from '../observability/logger.ts';
import type { Logger } from '../observability/logger.ts';
import { openLogSink } from '../observability/log-sink.ts';
import { CONFIG_FLAG, EXIT } from './command.ts';
import type { Command } from './command.ts';
import { readConfigFile } from './config-file.ts';
import { judgeNode } from './node-floor.ts';
import { printProblems } from './problems.ts';
import { beginServing, endOnUncaught } from './serve.ts';
import { reportStartError } from './start-error.ts';
import { porticoVersion } from './version.ts';

/** After a complete stop nothing should hold the process; if something does, it is not worth waiting for. */
const LINGER_MS = 2000;

/** A config that cannot be used, with everything that is wrong with it. */
class ConfigRefused extends PorticoError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('CONFIG_INVALID', `The config has ${String(problems.length)} problem(s).`, {
      fix: 'Run `portico check` and correct what it names.',
    });
    this.problems = problems;
  }
}

/** Logs what a config has to say; throws when it cannot be used. */
function usable(result: LoadResult, logger: Logger): Extract<LoadResult, { ok: true }> {
  const problems = result.ok ? result.warnings : result.problems;
  for (const { severity, file, line, column, code, message, fix } of problems) {
    const place = { code, file, line, column, fix };
    if (severity === 'error') logger.error(place, message);
    else logger.warn(place, message);
  }
  if (result.ok) return result;
  throw new ConfigRefused(result.problems);
}

/** The command. */
export const runCommand: Command = {
  description: `Serves. SIGTERM or SIGINT: stop accepting, let open exchanges finish within shutdown_timeout, exit 0; a second one ends at
once with exit code 1. SIGHUP: read the config again; errors are logged and the old state keeps serving. Exit code 2
when the config has errors or the start is not possible (port in use, no permission, unreadable store).`,
  flags: { config: CONFIG_FLAG },
  async run(flags, terminal) {
    const loaded = await readConfigFile(flags);
    printProblems(loaded.ok ? loaded.warnings : loaded.problems, (line) => terminal.err(line), terminal);
    if (!loaded.ok) return EXIT.usage;

    const { config } = loaded;
    const sink = openLogSink();
    const logger = createLogger({ level: config.log.level, destination: sink });
    const exit = (code: number): void => {
      sink.flushSync();
      process.exit(code);
    };
    const forget = endOnUncaught({ logger, signals: process, exit });
    const verdict = judgeNode(process.versions.node);
    if (verdict.kind === 'warn') logger.warn({ code: 'NODE_OUTDATED', fix: verdict.fix }, verdict.message);
    const version = porticoVersion();
    logger.info({ version, node: process.versions.node, config: loaded.path }, 'starting');
    const accessLogStream = {
      write: (lines: string): void => {
        sink.writeAscii(lines);
      },
    };
    const watched = process.stderr.isTTY ? { progress: (line: string): void => terminal.err(line) } : {};
    const app = createApp({ config, logger, accessLogStream, version, ...watched });
    try {
      await app.start();
    } catch (error) {
      sink.flushSync();
      forget();
      return reportStartError(error, terminal);
    }
    const startedAt = new Date();
    let shutdownMs = config.shutdown_timeout;
    let warnings: readonly Problem[] = [];
    let admin: AdminServer | null = null;
    /** Settles when the socket is there, or cannot be: a signal may come in between. */
    let adminOpening: Promise<unknown> = Promise.resolve();
    const openAdmin = (path: string): Promise<AdminServer> =>
      startAdminServer({
        path,
        api,
        onDefect: (error) => {
          logger.error({ code: codeOf(error), err: error }, 'defect in the admin socket: please report this');
        },
      });
    const serving = beginServing({
      stop: async () => {
        await app.stop(shutdownMs);
        await adminOpening;
        await admin?.close();
      },
      reload: async () => {
        const fresh = usable(await readConfigFile(flags), logger);
        const { socket } = fresh.config.admin;
        const before = admin;
        const after = before === null || before.path === socket ? before : await openAdmin(socket);
        try {
          await app.reload(fresh.config);
        } catch (error) {
          if (after !== before) await after?.close();
          throw error;
        }
        admin = after;
        // Not awaited: the reload may have been asked for through it, and it waits for its own answer.
        if (after !== before) void before?.close();
        ({ warnings } = fresh);
        shutdownMs = fresh.config.shutdown_timeout;
      },
      logger,
      signals: process,
      exit,
    });
    const api: AdminApi = {
      status: () => ({
        version,
        node: process.versions.node,
        pid: process.pid,
        config: loaded.path,
        started_at: startedAt.toISOString(),
        draining: serving.stopping,
        ...app.status(),
      }),
      reload: async () => {
        await serving.reload();
        return { snapshot_version: app.status().snapshot_version, warnings };
      },
      drain: () => {
        serving.stop('drain');
        return { draining: true, deadline_ms: shutdownMs };
      },
      certificates: () => Promise.resolve(app.certificates()),
      renew: (name) => app.renew(name),
      rollover: () => app.rollOver(),
      canary: () => {
        const { target, answerKey } = app.canaryQuestion();
        return { target, answer_key: answerKey };
      },
    };
    try {
      const opening = openAdmin(config.admin.socket);
      adminOpening = opening.catch(() => undefined);
      admin = await opening;
    } catch (error) {
      await app.stop(0);
      sink.flushSync();
      forget();
      return reportStartError(error, terminal);
    }
    const code = await serving.ended;
    sink.flushSync();
    forget();
    setTimeout(() => process.exit(code), LINGER_MS).unref();
    return code;
  },
};
