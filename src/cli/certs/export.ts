/** `portico certs export`: writes the certificate of a name to files of another program, once. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { coversName, validityProblem, type CertificateData } from '../../base/certificate.ts';
import { systemClock } from '../../base/clock.ts';
import { commandWords } from '../../base/command-words.ts';
import { PorticoError } from '../../base/errors.ts';
import { parseKeyFileMode } from '../../base/file-mode.ts';
import { parseFileOwner } from '../../base/file-owner.ts';
import { acmeOutline } from '../../acme-plan.ts';
import { readStoredCertificates } from '../../acme/stored-certificates.ts';
import type { Config } from '../../config/index.ts';
import { hookEnvironment, HOOK_LIMIT_MS, type ExportTarget } from '../../export/exporter.ts';
import { runHook } from '../../export/hook.ts';
import { isPairInPlace, writePair } from '../../export/write-pair.ts';
import { FileStore } from '../../store/file-store.ts';
import type { Store } from '../../store/store.ts';
import { FilesSource } from '../../tls/files-source.ts';
import { LocalCaSource } from '../../tls/local-ca-source.ts';
import { LocalCa } from '../../tls/local-ca.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from '../command.ts';
import type { Command, FlagValues } from '../command.ts';
import { readConfigFile } from '../config-file.ts';
import { printProblems } from '../problems.ts';
import { reportStartError } from '../start-error.ts';

/** The command. */
export const certsExportCommand: Command = {
  description: `Writes the certificate of NAME and its key for another program: the key first, the chain last, each replaced whole, and only
when something changed. To have it done at each renewal, write the same under exports in the config. It reads the store and
needs no running Portico. Exit codes: 0 in place, 1 not in place or the hook failed, 2 wrong usage or config.
--json prints {name, written, not_after}.`,
  words: { usage: 'NAME', min: 1, max: 1 },
  flags: {
    config: CONFIG_FLAG,
    chain: { type: 'string', value: 'PATH', help: 'file for the certificate and its intermediates (PEM, mode 0644)' },
    key: { type: 'string', value: 'PATH', help: 'file for the private key (PEM)' },
    owner: { type: 'string', value: 'USER[:GROUP]', help: 'owner of both files; takes the rights of root' },
    mode: { type: 'string', value: 'MODE', help: 'mode of the key file; default 0600' },
    hook: { type: 'string', value: 'COMMAND', help: 'run after both files were replaced, without a shell' },
    json: JSON_FLAG,
  },
  async run(flags, terminal, [name = '']) {
    const target = targetOf(name.toLowerCase(), flags);
    if (typeof target === 'string') {
      terminal.err(`portico certs export: ${target}`);
      return EXIT.usage;
    }
    const loaded = await readConfigFile(flags);
    if (!loaded.ok) {
      printProblems(loaded.problems, (line) => terminal.err(line), terminal);
      return EXIT.usage;
    }
    try {
      const certificate = await findCertificate(target.name, loaded.config, new FileStore(loaded.config.store.path));
      const written = await exportOnce(target, certificate);
      const notAfter = new Date(certificate.notAfter).toISOString();
      if (flags.json === true) {
        terminal.out(JSON.stringify({ name: target.name, written, not_after: notAfter }, null, 2));
      } else {
        terminal.out(`${target.name}: ${written ? 'written' : 'already in place'}, valid until ${notAfter}`);
        for (const path of [target.keyPath, target.chainPath]) terminal.out(`  ${path}`);
      }
      return EXIT.fine;
    } catch (error) {
      reportStartError(error, terminal);
      return EXIT.notFine;
    }
  },
};

/** The target, or what is wrong with the flags. */
function targetOf(name: string, flags: FlagValues): ExportTarget | string {
  const text = (flag: string): string | undefined => {
    const value = flags[flag];
    return typeof value === 'string' ? value : undefined;
  };
  const [chain = '', key = ''] = [text('chain'), text('key')];
  if (chain === '' || key === '') return `--${chain === '' ? 'chain' : 'key'} PATH is missing`;
  if (resolve(chain) === resolve(key)) return '--chain and --key are the same file';
  const owner = text('owner') === undefined ? null : parseFileOwner(text('owner') ?? '');
  if (owner === null && text('owner') !== undefined) return '--owner takes USER or USER:GROUP, names or numbers';
  const mode = parseKeyFileMode(text('mode') ?? '0600');
  if (mode === null) return '--mode takes 0600, or 0640 for a group that may read the key; others must not';
  const hook = text('hook') === undefined ? null : commandWords(text('hook') ?? '');
  if (hook === null && text('hook') !== undefined) {
    return '--hook takes a program and its arguments; no shell reads it, so call a script for more';
  }
  return { name, chainPath: resolve(chain), keyPath: resolve(key), owner, mode, hook };
}

/** @returns true when files were replaced (and the hook was run) */
async function exportOnce(target: ExportTarget, certificate: CertificateData): Promise<boolean> {
  if (await isPairInPlace(target, certificate)) return false;
  await writePair(target, certificate);
  if (target.hook !== null) {
    const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } = process.env;
    const environment = hookEnvironment(target, { PATH });
    await runHook({ words: target.hook, environment, limitMs: HOOK_LIMIT_MS }, new AbortController().signal);
  }
  return true;
}

/**
 * The certificate that a running Portico would use for a name, read from where it is kept.
 * @throws PorticoError `EXPORT_NAME_UNKNOWN`, and what files and the local CA throw
 */
async function findCertificate(name: string, config: Config, store: Store): Promise<CertificateData> {
  const entries = config.certificates.filter(({ names }) => names.includes(name) || coversName(names, name));
  const entry = entries.find(({ names }) => names.includes(name)) ?? entries[0];
  const found =
    entry === undefined || entry.source === 'acme'
      ? await fromAcme(name, config, store)
      : entry.source === 'files'
        ? await fromFiles(entry.names, entry.files, name)
        : await fromLocalCa(entry.names, store, name);
  if (found !== null) return found;
  throw new PorticoError('EXPORT_NAME_UNKNOWN', `There is no certificate for ${name} to export.`, {
    fix: 'Start Portico once, so that it gets one, or correct the name.',
  });
}

async function fromFiles(
  names: readonly string[],
  files: { readonly chain: string; readonly key: string },
  name: string,
): Promise<CertificateData | null> {
  const source = new FilesSource({
    entries: [{ names, chainPath: files.chain, keyPath: files.key }],
    clock: systemClock,
    onProblem: () => undefined,
  });
  try {
    return await source.certificateFor(name);
  } finally {
    source.close();
  }
}

/** Reads only: without the lock the local CA can make nothing, and what it has not made yet is not there. */
async function fromLocalCa(names: readonly string[], store: Store, name: string): Promise<CertificateData | null> {
  let source: LocalCaSource | null = null;
  try {
    const ca = await LocalCa.open({ store, clock: systemClock, random: randomBytes });
    source = new LocalCaSource({ ca, names, onProblem: () => undefined });
    return await source.certificateFor(name);
  } catch (error) {
    if (error instanceof PorticoError && error.code === 'STORE_NOT_LOCKED') return null;
    throw error;
  } finally {
    source?.close();
  }
}

/** As the handshake would choose: one that is planned before others, then the one that is valid longest. */
async function fromAcme(name: string, config: Config, store: Store): Promise<CertificateData | null> {
  const problems: PorticoError[] = [];
  const { found } = await readStoredCertificates(store, (problem) => problems.push(problem));
  const planned = new Set(acmeOutline(config).certificates.map(({ id }) => id));
  const usable = [...found.values()].filter(
    ({ certificate }) =>
      coversName(certificate.names, name) && validityProblem(certificate, systemClock.now()) === null,
  );
  const [best] = usable.sort(
    (a, b) => Number(planned.has(b.id)) - Number(planned.has(a.id)) || b.certificate.notAfter - a.certificate.notAfter,
  );
  const unreadable = problems.find(({ code }) => code === 'ACME_STATE_UNREADABLE');
  if (best === undefined && unreadable !== undefined) throw unreadable;
  return best?.certificate ?? null;
}
