/** `portico plan`: what follows from the config, beside what the outside has already. */
import { PorticoError } from '../base/errors.ts';
import { FileStore } from '../store/file-store.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { exitCodeOf, readConfigFile } from './config-file.ts';
import { NETWORK_FLAGS } from './network.ts';
import { openOutside } from './plan/look-all.ts';
import { makePlan } from './plan/report.ts';
import { planJson, printPlan } from './plan/section.ts';
import { printProblems } from './problems.ts';

/** The command. */
export const planCommand: Command = {
  description: `Prints what follows from the config: per site the names that peers and clients ask for, which certificate answers on which
port, where it comes from and how it can be proven; the DNS records to set beside those found, the ports to open, what the
web server of a base domain elsewhere must serve, and what stands in the way, the most harmful first. Looks at DNS and at
the base domains for a few seconds; changes nothing. Exit codes: 0 fine (whatever is still to do), 1 the file has errors, 2
wrong usage or no file that can be read.`,
  flags: {
    config: CONFIG_FLAG,
    json: JSON_FLAG,
    offline: { type: 'boolean', help: 'ask nobody' },
    ...NETWORK_FLAGS,
  },
  async run(flags, terminal) {
    const result = await readConfigFile(flags);
    if (!result.ok) {
      printProblems(result.problems, (line) => terminal.err(line), terminal);
      return exitCodeOf(result);
    }
    const { config } = result;
    try {
      const outside = flags.offline === true ? null : openOutside(flags, config.dns.servers);
      const sections = await makePlan(config, new FileStore(config.store.path), outside);
      if (flags.json === true) terminal.out(JSON.stringify(planJson(sections), null, 2));
      else printPlan(sections, terminal);
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      terminal.err(`portico plan: ${error.message}${error.fix === undefined ? '' : ` Fix: ${error.fix}`}`);
      return EXIT.usage;
    }
    return exitCodeOf(result);
  },
};
