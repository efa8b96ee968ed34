/** `portico certs import`: takes certificates and accounts from the store of another ACME program. */
import { importFindings, type ImportLine } from '../../acme/import/import.ts';
import { IMPORT_SOURCES, readForeignStore, type ImportSource } from '../../acme/import/read-store.ts';
import { systemClock } from '../../base/clock.ts';
import { ACME_DIRECTORIES } from '../../config/sections/acme.ts';
import { FileStore } from '../../store/file-store.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from '../command.ts';
import type { Command } from '../command.ts';
import { readConfigFile } from '../config-file.ts';
import { printProblems } from '../problems.ts';
import { reportStartError } from '../start-error.ts';
import { paint, type Terminal } from '../terminal.ts';

/** The command. */
export const certsImportCommand: Command = {
  description: `Takes certificates with their keys, and accounts at CAs, from the store of certbot (/etc/letsencrypt), Caddy (its data
directory), acme.sh (~/.acme.sh) or Traefik (acme.json). Each is checked; what the store has already is kept unless --force
is given; what is not taken is listed with the reason. The other store is only read. Stop Portico first, unless it is a dry
run. Exit codes: 0 all taken or there already, 1 something was not taken, 2 wrong usage, config or path.
--json prints {from, dry_run, results: [{kind, where, outcome, what, issuer, not_after, why}]}.`,
  words: { usage: 'PATH', min: 1, max: 1 },
  flags: {
    config: CONFIG_FLAG,
    from: { type: 'string', value: 'PROGRAM', help: IMPORT_SOURCES.join(', ') },
    'dry-run': { type: 'boolean', help: 'write nothing, only say what would be done' },
    force: { type: 'boolean', help: 'replace what the store has under the same name' },
    directory: { type: 'string', value: 'URL', help: "the CA's directory, where the other store does not tell it" },
    json: JSON_FLAG,
  },
  async run(flags, terminal, [path = '']) {
    const from = IMPORT_SOURCES.find((each) => each === flags.from);
    if (from === undefined) {
      terminal.err(`portico certs import: --from takes one of ${IMPORT_SOURCES.join(', ')}`);
      return EXIT.usage;
    }
    const directory = typeof flags.directory === 'string' ? flags.directory : null;
    if (directory !== null && !(directory.startsWith('https://') && URL.canParse(directory))) {
      terminal.err('portico certs import: --directory takes an https URL');
      return EXIT.usage;
    }
    const loaded = await readConfigFile(flags);
    if (!loaded.ok) {
      printProblems(loaded.problems, (line) => terminal.err(line), terminal);
      return EXIT.usage;
    }
    const dryRun = flags['dry-run'] === true;
    try {
      const configured = loaded.config.acme?.issuers.map((issuer) => issuer.directory.url) ?? [];
      const directories = [...configured, ...Object.values(ACME_DIRECTORIES)];
      const findings = await readForeignStore(from, path, directories, directory);
      const store = new FileStore(loaded.config.store.path);
      const lock = dryRun ? null : await store.lock();
      let lines: ImportLine[];
      try {
        const options = { store, from, now: systemClock.now(), dryRun, force: flags.force === true };
        lines = await importFindings(findings, options);
      } finally {
        await lock?.release();
      }
      report(lines, { from, dryRun, json: flags.json === true }, terminal);
      return lines.length > 0 && lines.every(({ outcome }) => outcome !== 'refused') ? EXIT.fine : EXIT.notFine;
    } catch (error) {
      return reportStartError(error, terminal);
    }
  },
};

function report(
  lines: readonly ImportLine[],
  { from, dryRun, json }: { readonly from: ImportSource; readonly dryRun: boolean; readonly json: boolean },
  terminal: Terminal,
): void {
  if (json) {
    const results = lines.map(({ notAfter, ...line }) => ({
      ...line,
      not_after: notAfter === null ? null : new Date(notAfter).toISOString(),
    }));
    terminal.out(JSON.stringify({ from, dry_run: dryRun, results }, null, 2));
    return;
  }
  for (const { kind, where, outcome, what, notAfter, why } of lines) {
    const mark = outcome === 'refused' ? paint(terminal, 'red', '✗') : paint(terminal, 'green', '✓');
    const subject = what.length === 0 ? '' : `: ${plain(what.slice(0, 5).join(', '))}${what.length > 5 ? ', …' : ''}`;
    const until = notAfter === null ? '' : `, valid until ${new Date(notAfter).toISOString()}`;
    const word = kind === 'unreadable' ? '' : `${kind} `;
    terminal.out(`${mark} ${word}${plain(where)}${subject}${until}`);
    if (outcome === 'there') terminal.out('    already there');
    if (why !== null) terminal.out(`    not taken: ${plain(why)}`);
  }
  const count = (outcome: ImportLine['outcome']): string =>
    String(lines.filter((line) => line.outcome === outcome).length);
  if (lines.length === 0) terminal.out(`nothing of ${from} is there`);
  const taken = dryRun ? 'would be taken' : 'taken';
  terminal.out(`${count('taken')} ${taken}, ${count('there')} already there, ${count('refused')} not taken`);
}

/** File names of another program must not steer the terminal. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this replaces
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\uFFFD');
}
