/** `portico init`: a first config, from a few questions or from flags. */
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { PorticoError } from '../base/errors.ts';
import { parseServerName } from '../base/server-name.ts';
import { loadConfigText } from '../config/load.ts';
import { proposalFacts, propose } from '../delegation/plan/propose.ts';
import type { Proposal } from '../delegation/plan/propose.ts';
import { printable } from '../delegation/printable.ts';
import { FileStore } from '../store/file-store.ts';
import { EXIT } from './command.ts';
import type { Command, Flag, FlagValues } from './command.ts';
import type { Answers, Question } from './init/answers.ts';
import { createAsker } from './init/asker.ts';
import type { Asker } from './init/asker.ts';
import { configText } from './init/config-text.ts';
import { QUESTIONS } from './init/questions.ts';
import { configExists, writeConfig } from './init/write-config.ts';
import { NETWORK_FLAGS } from './network.ts';
import { openOutside } from './plan/look-all.ts';
import type { Outside } from './plan/look-all.ts';
import { makePlan } from './plan/report.ts';
import { printPlan } from './plan/section.ts';
import { printProblems } from './problems.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { wrap } from './wrap.ts';

/** Milliseconds for the look before the questions. */
const LOOK_MS = 5000;
/** As often a question is repeated before it is given up. */
const MAX_TRIES = 5;

const OTHER_FLAGS = {
  output: { type: 'string', value: 'PATH', help: 'the file to write; default portico.yaml' },
  force: { type: 'boolean', help: 'replace the file if it is there' },
  yes: { type: 'boolean', help: 'ask nothing, take what is proposed' },
  offline: { type: 'boolean', help: 'do not look at DNS' },
} as const satisfies Record<string, Flag>;

/** Where answers come from. */
export interface InitStreams {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

/** Makes the command; the streams are asked for when it runs. */
export function createInitCommand(
  streams: () => InitStreams,
  outsideOf: (flags: FlagValues) => Outside = (flags) => openOutside(flags, []),
): Command {
  return {
    description: `Writes a first config and prints its plan. Looks at DNS to propose how peers should find the server, and asks what is
not to be seen there. Every question has a flag; with --yes what is proposed is taken without a question. Exit codes: 0
written, 1 the answers make no config that works, 2 wrong usage, or a file that is there.`,
    flags: { ...questionFlags(), ...OTHER_FLAGS, ...NETWORK_FLAGS },
    async run(flags, terminal) {
      try {
        return await init(flags, terminal, streams(), flags.offline === true ? null : outsideOf(flags));
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error;
        terminal.err(`portico init: ${error.message}${error.fix === undefined ? '' : ` Fix: ${error.fix}`}`);
        return EXIT.usage;
      }
    },
  };
}

/** The command. */
export const initCommand: Command = createInitCommand(() => ({ input: process.stdin, output: process.stdout }));

function questionFlags(): Record<string, Flag> {
  return Object.fromEntries(
    QUESTIONS.map(({ key, help, value }): [string, Flag] => [
      key,
      value === null ? { type: 'boolean', help } : { type: 'string', value, help },
    ]),
  );
}

async function init(
  flags: FlagValues,
  terminal: Terminal,
  { input, output }: InitStreams,
  outside: Outside | null,
): Promise<number> {
  const path = typeof flags.output === 'string' ? flags.output : 'portico.yaml';
  const force = flags.force === true;
  if (!force && (await exists(path))) throw configExists(path);
  const interactive = input.isTTY === true && flags.yes !== true;
  const asker = interactive ? createAsker(input, output, true) : null;
  let answers: Answers;
  try {
    answers = await collect(flags, terminal, asker, outside);
  } finally {
    asker?.close();
  }
  const text = configText(answers);
  const checked = await loadConfigText(text, { file: resolve(path), env: process.env });
  if (!checked.ok) {
    terminal.err('portico init: these answers make no config that works; nothing was written.');
    printProblems(checked.problems, (line) => terminal.err(line), terminal);
    return EXIT.notFine;
  }
  await writeConfig(path, text, force);
  terminal.out(`${paint(terminal, 'green', '✓')} ${path}`);
  terminal.out('');
  const { config } = checked;
  printPlan(await makePlan(config, new FileStore(config.store.path), outside), terminal);
  return EXIT.fine;
}

/** Goes through the questions. Without a person all that is missing is said at once. */
async function collect(
  flags: FlagValues,
  terminal: Terminal,
  asker: Asker | null,
  outside: Outside | null,
): Promise<Answers> {
  const answers: Answers = {};
  const missing: string[] = [];
  let proposal = await proposalFor('', null);
  for (const question of QUESTIONS) {
    const { key } = question;
    const given = flags[key];
    if (!question.applies(answers)) {
      if (given === undefined || missing.length > 0) continue;
      throw new PorticoError('INIT_ANSWER', `--${key} does not fit the other answers.`, { fix: `Leave out --${key}.` });
    }
    const proposed = question.proposed(answers, proposal);
    if (given !== undefined) answers[key] = checkedAnswer(question, given === true ? 'yes' : String(given));
    else if (asker !== null) answers[key] = await put(question, proposed, asker, terminal);
    else if (proposed !== null && (flags.yes === true || proposed === '' || OPTIONAL.has(key))) answers[key] = proposed;
    else {
      missing.push(`--${key}`);
      // So that what depends on it is found missing in the same breath.
      if (proposed !== null) answers[key] = proposed;
    }
    if (key === 'server-name' && answers[key] !== undefined) {
      proposal = await proposalFor(answers[key], outside);
      if (asker !== null && flags.delegation === undefined) tell(printable(proposal.because), terminal);
    }
  }
  if (missing.length > 0) {
    throw new PorticoError(
      'INIT_MISSING',
      `Nobody can be asked here, and something is missing: ${missing.join(', ')}.`,
      {
        fix: 'Give these flags, or --yes to take what is proposed for those that have a proposal; or run it in a terminal.',
      },
    );
  }
  if (answers['agree-to-terms'] === 'no') {
    throw new PorticoError('INIT_ANSWER', 'Without agreement to its terms the authority gives no certificates.', {
      fix: 'Take --certificates local-ca for a first try, or list files under certificates in a config of your own.',
    });
  }
  return answers;
}

/** Details that nobody needs to be asked for when a program calls. */
const OPTIONAL: ReadonlySet<string> = new Set(['kind', 'certificates']);

async function proposalFor(text: string, outside: Outside | null): Promise<Proposal> {
  const simple: Proposal = {
    delegation: 'none',
    delegatedName: null,
    baseDomain: 'here',
    host: null,
    because: 'DNS was not asked, and this is the simplest form.',
  };
  const name = parseServerName(text);
  if (name === null || outside === null) return simple;
  return propose(await proposalFacts(name, outside.deps, AbortSignal.timeout(LOOK_MS)), outside.own);
}

/** Puts a question until the answer can be used. */
async function put(question: Question, proposed: string | null, asker: Asker, terminal: Terminal): Promise<string> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    tell(question.text, terminal);
    const choices = question.choices === undefined ? '' : ` (${question.choices.join(', ')})`;
    const usual = proposed === null || proposed === '' ? '' : ` [${proposed}]`;
    const line = await asker.ask(`${question.key}${choices}${usual}: `);
    if (line === null)
      throw new PorticoError('INIT_ENDED', 'The answers ended before the questions; nothing was written.');
    const answer = line === '' ? proposed : line;
    if (answer === null) continue;
    try {
      return checkedAnswer(question, answer);
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      tell(`${error.message} ${error.fix ?? ''}`, terminal);
    }
  }
  throw new PorticoError('INIT_ANSWER', `No answer to ${question.key} that can be used.`);
}

/** @throws PorticoError `INIT_ANSWER` */
function checkedAnswer({ key, choices }: Question, text: string): string {
  if (choices !== undefined && !choices.includes(text)) {
    throw new PorticoError('INIT_ANSWER', `${key} cannot be ${JSON.stringify(text)}.`, {
      fix: `Take one of ${choices.join(', ')}.`,
    });
  }
  if (key !== 'server-name') return text;
  if (parseServerName(text) === null) {
    throw new PorticoError('INIT_ANSWER', `${JSON.stringify(text)} is not a server name.`, {
      fix: 'Write a DNS name such as example.com, without https:// and without a path.',
    });
  }
  if (text !== text.toLowerCase()) {
    throw new PorticoError('INIT_ANSWER', `${text} has upper-case letters, and peers compare names byte for byte.`, {
      fix: `Write ${text.toLowerCase()}, and make sure that the homeserver has it like that.`,
    });
  }
  return text;
}

function tell(text: string, terminal: Terminal): void {
  for (const line of wrap(text, terminal.columns ?? 100)) terminal.out(line);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Whatever stands in the way of looking stands in the way of writing, too, and is said then.
    return false;
  }
}
