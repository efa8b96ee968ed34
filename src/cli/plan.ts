/** `portico plan`: what follows from the config, without asking anybody. */
import { FileStore } from '../store/file-store.ts';
import { CONFIG_FLAG, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { exitCodeOf, readConfigFile } from './config-file.ts';
import { persistRecordsSection } from './plan/persist-records.ts';
import { planJson, printPlan } from './plan/section.ts';
import type { PlanSection, PlanSectionMaker } from './plan/section.ts';
import { certificatesSection, sitesSection } from './plan/sites.ts';
import { printProblems } from './problems.ts';

/** In the order they are printed. */
const SECTIONS: readonly PlanSectionMaker[] = [sitesSection, certificatesSection, persistRecordsSection];

/** The command. */
export const planCommand: Command = {
  description: `Prints what follows from the config: per site the names that peers and clients ask for, which certificate answers on which
port, where it comes from and how it can be proven, and the DNS records to set. Asks nobody and changes nothing. Exit
codes: 0 fine, 1 the file has errors, 2 wrong usage or no file that can be read.`,
  flags: { config: CONFIG_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const result = await readConfigFile(flags);
    if (!result.ok) {
      printProblems(result.problems, (line) => terminal.err(line), terminal);
      return exitCodeOf(result);
    }
    const context = { config: result.config, store: new FileStore(result.config.store.path) };
    const sections: PlanSection[] = [];
    for (const make of SECTIONS) sections.push(await make(context));
    if (flags.json === true) terminal.out(JSON.stringify(planJson(sections), null, 2));
    else printPlan(sections, terminal);
    return exitCodeOf(result);
  },
};
