/** `portico status`: what the running process is doing, by its own account. */
import type { StatusReport } from '../admin/api.ts';
import { ask, findSocket, SOCKET_FLAG } from './ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { paint, plain, type Terminal } from './terminal.ts';
import { daysLeft, hostPort, since } from './words.ts';

/** The command. */
export const statusCommand: Command = {
  description: `Asks the running process through its admin socket. Exit codes: 0 it serves, 1 it is not ready, is about to end or cannot be
reached, 2 wrong usage or config. --json prints {version, node, pid, config, started_at, draining, ready, reasons,
snapshot_version, listeners, metrics, sites, certificates: {count, first_expiry}}.`,
  flags: { config: CONFIG_FLAG, socket: SOCKET_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const socket = await findSocket(flags, terminal);
    if (!socket.ok) return socket.code;
    const asked = await ask(socket.path, 'status', flags, terminal);
    if (!asked.ok) return asked.code;
    const { report } = asked;
    if (flags.json === true) terminal.out(JSON.stringify(report, null, 2));
    else for (const line of statusLines(report, Date.now(), terminal)) terminal.out(line);
    return report.ready && !report.draining ? EXIT.fine : EXIT.notFine;
  },
};

/** @param now - milliseconds since the epoch */
export function statusLines(report: StatusReport, now: number, terminal: Terminal): string[] {
  const state = report.draining
    ? paint(terminal, 'yellow', 'ending')
    : report.ready
      ? paint(terminal, 'green', 'serving')
      : paint(terminal, 'red', 'not ready');
  const { count, first_expiry: first } = report.certificates;
  const expiry = first === null ? '' : `, the first expires ${daysLeft((Date.parse(first) - now) / 86_400_000)}`;
  const rows: [string, string][] = [
    ...report.reasons.map((reason): [string, string] => ['because', reason]),
    ['process', `pid ${String(report.pid)}, for ${since(now - Date.parse(report.started_at))}, Node ${report.node}`],
    ['config', report.config],
    ['snapshot', `version ${String(report.snapshot_version)}`],
    ...report.listeners.map(({ role, host, port }): [string, string] => [role, hostPort(host, port)]),
    ...(report.metrics === null
      ? []
      : [['metrics', hostPort(report.metrics.host, report.metrics.port)] satisfies [string, string]]),
    ['sites', report.sites.length > 5 ? String(report.sites.length) : report.sites.join(', ')],
    ['certificates', `${String(count)}${expiry}`],
  ];
  const width = Math.max(...rows.map(([title]) => title.length));
  return [
    `Portico ${plain(report.version)} is ${state}`,
    ...rows.map(([title, text]) => `  ${paint(terminal, 'dim', title.padEnd(width))}  ${plain(text)}`),
  ];
}
