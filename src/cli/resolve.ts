/** `portico resolve`: the steps of server discovery for one server name, as a person reads them. */
import { messageOf, PorticoError } from '../base/errors.ts';
import { formatListenAddress } from '../base/address.ts';
import { resolutionJson } from '../delegation/resolve/json.ts';
import { resolveServerName } from '../delegation/resolve/resolve.ts';
import { DELEGATED_STEPS, SERVER_STEPS } from '../delegation/resolve/steps/index.ts';
import type { Resolution, Step, Tried } from '../delegation/resolve/types.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command, FlagValues } from './command.ts';
import { readConfigFile } from './config-file.ts';
import { NETWORK_FLAGS, openNetwork } from './network.ts';
import type { Network } from './network.ts';
import { paint } from './terminal.ts';
import type { Style, Terminal } from './terminal.ts';

/** For the whole of it. */
const LIMIT_MS = 60_000;

/** The command. */
export const resolveCommand: Command = {
  description: `Goes through server discovery for a server name as every other homeserver does, and shows what was found at each step as
the Matrix specification numbers them, and where peers end up: addresses, port, Host, SNI and the name the certificate
must be for. Exit codes: 0 found, 1 not found, 2 wrong usage. --json prints {server_name, step, results: [{addresses, port,
host, sni, certificate_name}], tried: [{step, what, outcome, ms}], warnings, error}.`,
  words: { usage: 'SERVER_NAME', min: 1, max: 1 },
  flags: { config: CONFIG_FLAG, json: JSON_FLAG, ...NETWORK_FLAGS },
  async run(flags, terminal, [name = '']) {
    let resolution: Resolution;
    try {
      const { resolve } = await networkOf(flags);
      resolution = await resolveServerName(name, resolve, AbortSignal.timeout(LIMIT_MS));
      // Who says that private addresses are fine need not be told of them.
      if (flags['allow-private'] === true) {
        const warnings = resolution.warnings.filter(({ code }) => code !== 'private-address');
        resolution = { ...resolution, warnings };
      }
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      terminal.err(`portico resolve: ${messageOf(error)}${error.fix === undefined ? '' : ` Fix: ${error.fix}`}`);
      return EXIT.usage;
    }
    if (flags.json === true) terminal.out(JSON.stringify(resolutionJson(resolution), null, 2));
    else for (const line of resolutionLines(resolution, terminal)) terminal.out(line);
    return resolution.error === null ? EXIT.fine : EXIT.notFine;
  },
};

/** A config is read when it is named; without one its `dns.servers` are simply not there. */
async function networkOf(flags: FlagValues): Promise<Network> {
  if (flags.config === undefined) return openNetwork(flags, []);
  const loaded = await readConfigFile(flags);
  if (loaded.ok) return openNetwork(flags, loaded.config.dns.servers);
  throw new PorticoError('CONFIG_INVALID', `The config has ${String(loaded.problems.length)} problem(s).`, {
    fix: 'Run `portico check` and correct what it names.',
  });
}

const MARKS: Record<Tried['result'], readonly [Style, string]> = {
  found: ['green', '✓'],
  absent: ['dim', '–'],
  failed: ['yellow', '✗'],
};

/** The resolution as lines of text: the steps that were gone through, then where they led. */
export function resolutionLines(resolution: Resolution, terminal: Terminal): string[] {
  const { serverName, step, tried, warnings, delegated } = resolution;
  const width = Math.min(60, Math.max(0, ...tried.map(({ what }) => what.length)));
  const upTo = (steps: readonly Step[]): readonly Step[] => {
    const end = steps.findIndex(({ number }) => number === (delegated !== null && steps === SERVER_STEPS ? '3' : step));
    return steps.slice(0, end + 1);
  };
  const steps = [...upTo(SERVER_STEPS), ...(delegated === null ? [] : upTo(DELEGATED_STEPS))];
  const lines = [paint(terminal, 'bold', serverName.text), ''];
  for (const { number, title } of steps) {
    const looks = tried.filter((look) => look.step === number);
    const heading = `${number.padEnd(4)} ${title}`;
    lines.push(looks.length > 0 ? heading : paint(terminal, 'dim', `${heading}: does not apply`));
    for (const { what, result, outcome, ms } of looks) {
      const [style, mark] = MARKS[result];
      const time = ms > 0 ? paint(terminal, 'dim', `  ${String(ms)} ms`) : '';
      lines.push(`     ${paint(terminal, style, mark)} ${what.padEnd(width)}  ${outcome}${time}`);
    }
  }
  lines.push('', ...resultLines(resolution, terminal));
  for (const { step: at, seen } of warnings) lines.push(`${paint(terminal, 'yellow', '!')} step ${at}: ${seen}`);
  return lines;
}

function resultLines({ step, targets, error }: Resolution, terminal: Terminal): string[] {
  if (error !== null) {
    const lines = [`${paint(terminal, 'red', '✗')} Nothing to connect to (step ${step}): ${error.message}`];
    return error.fix === undefined ? lines : [...lines, `  Fix: ${error.fix}`];
  }
  const [first] = targets;
  const rows: [string, string][] = targets.map(({ addresses, port, addressName, srv }, index) => {
    const places = addresses.map((host) => formatListenAddress({ host, port })).join(', ');
    const rank = srv === null ? '' : ` (${addressName ?? ''}, priority ${String(srv.priority)})`;
    return [index === 0 ? 'Peers connect to' : 'or else', `${places}${rank}`];
  });
  rows.push(
    ['with Host', first?.host ?? ''],
    ['with SNI', first?.sni ?? 'none, the name is an IP address'],
    ['certificate for', first?.certificateName ?? ''],
  );
  return rows.map(([label, value], index) => {
    const mark = index === 0 ? `${paint(terminal, 'green', '✓')} ` : '  ';
    const by = index === targets.length - 1 ? paint(terminal, 'dim', `  by step ${step}`) : '';
    return `${mark}${label.padEnd(17)} ${paint(terminal, 'bold', value)}${by}`;
  });
}
