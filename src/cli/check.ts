/** `portico check`: reads the config and says everything that is wrong with it. */
import { CONFIG_FLAG, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { exitCodeOf, readConfigFile } from './config-file.ts';
import { printProblems } from './problems.ts';
import { paint } from './terminal.ts';

/** The command. */
export const checkCommand: Command = {
  description: `Reads the config and prints every problem as FILE:LINE:COLUMN CODE message, with its fix. Looks at the certificate files
too, but opens no port and changes nothing. Exit codes: 0 fine (there may be warnings), 1 the file has errors, 2 wrong
usage or no file that can be read. --json prints {ok, problems: [{file, line, column, code, severity, message, fix}]}.`,
  flags: { config: CONFIG_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const result = await readConfigFile(flags);
    const problems = result.ok ? result.warnings : result.problems;
    if (flags.json === true) {
      terminal.out(JSON.stringify({ ok: result.ok, problems }, null, 2));
      return exitCodeOf(result);
    }
    printProblems(problems, (line) => terminal.out(line), terminal);
    if (result.ok) {
      terminal.out(`${paint(terminal, 'green', '✓')} ${result.path}`);
      for (const { server_name, delegation, homeserver } of result.config.sites) {
        terminal.out(`  ${server_name.text} (delegation: ${delegation}) → ${homeserver.url.text}`);
      }
    }
    return exitCodeOf(result);
  },
};
