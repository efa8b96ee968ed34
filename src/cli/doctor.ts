/** `portico doctor`: looks at servers from outside in, and says what is wrong, why it matters and what to change. */
import { PorticoError } from '../base/errors.ts';
import { systemClock } from '../base/clock.ts';
import { diagnose } from '../delegation/doctor/diagnose.ts';
import type { Diagnosis } from '../delegation/doctor/diagnose.ts';
import type { Expected } from '../delegation/doctor/evidence.ts';
import { doctorJson } from '../delegation/doctor/json.ts';
import { gather } from '../delegation/doctor/probes/gather.ts';
import type { DoctorDeps } from '../delegation/doctor/probes/gather.ts';
import { tapLines } from '../delegation/doctor/tap.ts';
import { expectedOf } from '../expected.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command, FlagValues } from './command.ts';
import { readConfigFile } from './config-file.ts';
import { runningCanary } from './doctor/running-canary.ts';
import { diagnosisLines } from './doctor/text.ts';
import { watch } from './doctor/watch.ts';
import { NETWORK_FLAGS, openNetwork } from './network.ts';
import type { Terminal } from './terminal.ts';

/** Milliseconds for one name. */
const LIMIT_MS = 90_000;
const MAX_NAMES = 20;
const DEFAULT_REQUESTS = 100;
const WATCH_MS = 5 * 60 * 1000;

/** One server to look at. */
interface Subject {
  readonly name: string;
  readonly expected: Expected | null;
}

/** The command. */
export const doctorCommand: Command = {
  description: `Looks at servers as their peers and clients do: server discovery, every address, TLS and certificates, signing keys,
discovery documents. Without a name it looks at the sites of the config, and compares them with it; when Portico runs on
this machine, a URI canary tells whether anything in between rewrites URIs. Each finding says what was seen, why it
matters, what to change, and where the specification says so; docs/doctor.md lists them all.
Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage or config. --json prints {ok, servers:
[{server_name, ok, findings, report}]}, with the report in the shape of the Go federation tester.`,
  words: { usage: '[SERVER_NAME…]', min: 0, max: MAX_NAMES },
  flags: {
    config: CONFIG_FLAG,
    json: JSON_FLAG,
    tap: { type: 'boolean', help: 'print TAP, with the nine cases of the Rust federation tester' },
    watch: { type: 'boolean', help: 'look again every 5 minutes, and print what has changed' },
    'max-requests': {
      type: 'string',
      value: 'N',
      help: `most connections for one name; default ${String(DEFAULT_REQUESTS)}`,
    },
    ...NETWORK_FLAGS,
  },
  async run(flags, terminal, words) {
    let subjects: readonly Subject[];
    let deps: DoctorDeps;
    let diagnoses: readonly Diagnosis[];
    try {
      ({ subjects, deps } = await prepare(flags, words, terminal));
      diagnoses = await examine(subjects, deps);
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      terminal.err(`portico doctor: ${error.message}${error.fix === undefined ? '' : ` Fix: ${error.fix}`}`);
      return EXIT.usage;
    }
    for (const line of linesOf(diagnoses, flags, terminal)) terminal.out(line);
    if (flags.watch === true) {
      const wait = () => new Promise<boolean>((resolve) => setTimeout(resolve, WATCH_MS, true));
      await watch(diagnoses, { examine: () => examine(subjects, deps), wait, clock: systemClock, terminal });
    }
    return diagnoses.every(({ ok }) => ok) ? EXIT.fine : EXIT.notFine;
  },
};

async function prepare(flags: FlagValues, words: readonly string[], terminal: Terminal) {
  const formats = ['json', 'tap', 'watch'].filter((name) => flags[name] === true);
  if (formats.length > 1) throw new PorticoError('FLAG_INVALID', `--${formats.join(' and --')} do not go together.`);
  const maxRequests = Number(flags['max-requests'] ?? DEFAULT_REQUESTS);
  if (!Number.isInteger(maxRequests) || maxRequests < 1 || maxRequests > 10_000) {
    throw new PorticoError('FLAG_INVALID', '--max-requests is a number from 1 to 10000.');
  }
  const { sites, servers, socket } = await readSites(flags, words.length === 0);
  const chosen = words.length === 0 ? [...sites.keys()] : [...new Set(words)];
  const subjects = chosen.slice(0, words.length === 0 ? undefined : MAX_NAMES);
  const { dial, resolve } = openNetwork(flags, servers);
  const { dns, clock, random } = resolve;
  const tell = (line: string): void => terminal.err(`portico doctor: ${line}`);
  return {
    subjects: subjects.map((name): Subject => ({ name, expected: sites.get(name) ?? null })),
    deps: { dns, clock, random, dial, maxRequests, canary: socket === null ? null : runningCanary(socket, tell) },
  };
}

/** The sites of the config, if there is one to be read: it must be there when no names are given or it is named. */
async function readSites(flags: FlagValues, needed: boolean) {
  const none = { sites: new Map<string, Expected>(), servers: [] as readonly string[], socket: null };
  if (!needed && flags.config === undefined) return none;
  const loaded = await readConfigFile(flags);
  if (!loaded.ok) {
    const [first] = loaded.problems;
    throw new PorticoError('CONFIG_INVALID', first?.message ?? 'The config cannot be used.', {
      fix: needed
        ? 'Run `portico check`, or name the servers to look at: portico doctor example.com'
        : 'Run `portico check`.',
    });
  }
  const { config } = loaded;
  const sites = new Map(config.sites.map((site) => [site.server_name.text, expectedOf(site)]));
  return { sites, servers: config.dns.servers, socket: config.admin.socket };
}

/** One after the other: a doctor that floods its patient proves nothing. */
async function examine(subjects: readonly Subject[], deps: DoctorDeps): Promise<Diagnosis[]> {
  const diagnoses: Diagnosis[] = [];
  for (const { name, expected } of subjects) {
    diagnoses.push(diagnose(await gather(name, expected, deps, AbortSignal.timeout(LIMIT_MS))));
  }
  return diagnoses;
}

function linesOf(diagnoses: readonly Diagnosis[], flags: FlagValues, terminal: Terminal): string[] {
  if (flags.json === true) return [JSON.stringify(doctorJson(diagnoses), null, 2)];
  if (flags.tap === true) return tapLines(diagnoses);
  return diagnoses.flatMap((diagnosis, index) => [...(index > 0 ? [''] : []), ...diagnosisLines(diagnosis, terminal)]);
}
