/**
 * Where the running process listens for commands, read from its config file. Just that is read, and nothing is checked:
 * a config that has been broken since, or a certificate that is missing by now, is when these commands are needed most.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { findConfigPath } from '../config/index.ts';
import { resolvePaths } from '../config/resolve-paths.ts';
import { adminSection, storeSection } from '../config/sections/operation.ts';
import { readYaml } from '../config/yaml-document.ts';
import type { FlagValues } from './command.ts';

/** Null when there is no such file, it is no YAML map, or the sections `store` and `admin` cannot be read. */
export async function socketPathOf(flags: FlagValues): Promise<string | null> {
  const flag = typeof flags.config === 'string' ? flags.config : undefined;
  const found = await findConfigPath({ flag, env: process.env, cwd: process.cwd() });
  if (!found.ok) return null;
  let text: string;
  try {
    text = await readFile(found.path, 'utf8');
  } catch {
    // Reading the config in full says best what is wrong with it.
    return null;
  }
  const { broken, value } = readYaml(text.replace(/^\uFEFF/, ''));
  if (broken || typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const store = storeSection.safeParse('store' in value ? value.store : undefined);
  const admin = adminSection.safeParse('admin' in value ? value.admin : undefined);
  if (!store.success || !admin.success) return null;
  return resolvePaths({ store: store.data, admin: admin.data }, dirname(resolve(found.path))).admin?.socket ?? null;
}
