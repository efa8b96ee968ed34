/** `portico certs list`: every certificate with its source, its days and its troubles. */
import type { CertificateRow } from '../../admin/api.ts';
import { askAdmin } from '../../admin/client.ts';
import { PorticoError } from '../../base/errors.ts';
import { certificatesAtRest } from '../../certificate-rows.ts';
import { FileStore } from '../../store/file-store.ts';
import { findSocket, SOCKET_FLAG, tellConfigProblems, tellRefusal } from '../ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from '../command.ts';
import type { Command, FlagValues } from '../command.ts';
import { readConfigFile } from '../config-file.ts';
import { renderTable, type Cell } from '../table.ts';
import { paint, plain, type Style, type Terminal } from '../terminal.ts';

/** From here on somebody should look: most certificates are renewed with a third of 47 to 90 days left. */
const SOON_DAYS = 14;

/** The list, and where it comes from. */
interface Listed {
  readonly running: boolean;
  readonly certificates: readonly CertificateRow[];
}

/** The command. */
export const certsListCommand: Command = {
  description: `Asks the running process; where none runs, reads files and store instead and says so. Exit codes: 0 all are there and valid, 1
one is missing, has expired, or its last renewal failed, 2 wrong usage or config. --json prints {running, certificates:
[{names, source, issuer, profile, not_after, days_left, next_renewal, reason, last_problem}]}.`,
  flags: { config: CONFIG_FLAG, socket: SOCKET_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const listed = await listCertificates(flags, terminal);
    if (typeof listed === 'number') return listed;
    const { running, certificates } = listed;
    if (flags.json === true) {
      terminal.out(JSON.stringify({ running, certificates }, null, 2));
    } else {
      if (!running) {
        terminal.err(paint(terminal, 'yellow', 'No Portico runs; this is what files and store hold.'));
      }
      for (const line of certificateLines(certificates, terminal)) terminal.out(line);
    }
    return certificates.every(isFine) ? EXIT.fine : EXIT.notFine;
  },
};

async function listCertificates(flags: FlagValues, terminal: Terminal): Promise<Listed | number> {
  const socket = await findSocket(flags, terminal);
  if (!socket.ok) return socket.code;
  try {
    const { certificates } = await askAdmin(socket.path, 'certificates');
    return { running: true, certificates };
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    if (error.code !== 'ADMIN_NOT_RUNNING' || flags.socket !== undefined) return tellRefusal(error, flags, terminal);
  }
  const loaded = await readConfigFile(flags);
  if (!loaded.ok) {
    tellConfigProblems(loaded.problems, flags, terminal);
    return EXIT.usage;
  }
  const { config } = loaded;
  const certificates = await certificatesAtRest(config, new FileStore(config.store.path), Date.now());
  return { running: false, certificates };
}

/** Absent only where nothing can be known without the running process. */
function isFine({ days_left: days, last_problem: problem, source }: CertificateRow): boolean {
  return problem === null && (days === null ? source !== 'files' : days >= 0);
}

/** The table, those that expire first in front, and below it each problem in full. */
export function certificateLines(certificates: readonly CertificateRow[], terminal: Terminal): string[] {
  if (certificates.length === 0) return ['No certificates.'];
  const sorted = certificates.toSorted((a, b) => (a.days_left ?? -Infinity) - (b.days_left ?? -Infinity));
  const columns = [
    { title: 'NAMES' },
    { title: 'SOURCE' },
    { title: 'ISSUER' },
    { title: 'PROFILE' },
    { title: 'DAYS', align: 'right' as const },
    { title: 'RENEWAL' },
    { title: 'WHY' },
  ];
  const table = renderTable(columns, sorted.map(cellsOf), terminal);
  const problems = sorted.flatMap(({ names, last_problem: problem }) => {
    if (problem === null) return [];
    return [
      '',
      `${paint(terminal, 'red', problem.code)} ${plain(shownNames(names))}: ${plain(problem.message)}`,
      ...(problem.fix === null ? [] : [`  fix: ${plain(problem.fix)}`]),
      paint(terminal, 'dim', `  at ${shownTime(problem.at)}`),
    ];
  });
  return [...table, ...problems];
}

function cellsOf(row: CertificateRow): Cell[] {
  return [
    { text: shownNames(row.names) },
    { text: row.source },
    { text: row.issuer ?? '-' },
    { text: row.profile ?? '' },
    row.days_left === null
      ? { text: 'none', style: 'red' }
      : { text: String(row.days_left), style: styleOf(row.days_left) },
    { text: row.next_renewal === null ? '-' : shownTime(row.next_renewal) },
    { text: row.reason ?? '' },
  ];
}

function styleOf(days: number): Style {
  if (days < 0) return 'red';
  return days < SOON_DAYS ? 'yellow' : 'green';
}

/** A line has room for few; --json has all. */
function shownNames(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${String(names.length - 3)} more` : shown;
}

/** `2026-12-28 09:15 UTC`. */
function shownTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
