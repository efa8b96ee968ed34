/** Names of users and groups as numbers, by the files of this machine: Node has no other way to ask. */
import type { FileOwner } from '../base/file-owner.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import { readRegularFile } from '../store/read-file.ts';

/** Numbers that `chown` takes. */
export interface OwnerIds {
  readonly uid: number;
  readonly gid: number;
}

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Looks an owner up.
 * @param files - where users and groups are listed; default: /etc/passwd and /etc/group
 * @throws PorticoError `EXPORT_OWNER_UNKNOWN`
 */
export async function resolveOwner(
  owner: FileOwner,
  files = { passwd: '/etc/passwd', group: '/etc/group' },
): Promise<OwnerIds> {
  const user = await entryOf(owner.user, files.passwd);
  const uid = user === null ? numberOf(owner.user) : numberOf(user[2]);
  if (uid === null) throw unknown('user', owner.user);
  if (owner.group === null) {
    // A number that no user has: its group is the same number, as it is by custom.
    const gid = user === null ? uid : numberOf(user[3]);
    if (gid === null) throw unknown('user', owner.user);
    return { uid, gid };
  }
  const group = await entryOf(owner.group, files.group);
  const gid = group === null ? numberOf(owner.group) : numberOf(group[2]);
  if (gid === null) throw unknown('group', owner.group);
  return { uid, gid };
}

/** The fields of the line whose name, or else whose number, is `wanted`. */
async function entryOf(wanted: string, path: string): Promise<string[] | null> {
  let text: string;
  try {
    text = (await readRegularFile(path, MAX_BYTES)).toString('utf8');
  } catch (cause) {
    if (numberOf(wanted) !== null) return null;
    throw new PorticoError('EXPORT_OWNER_UNKNOWN', `${path} cannot be read: ${messageOf(cause)}.`, {
      fix: 'Give the owner as numbers.',
      cause,
    });
  }
  const entries = text.split('\n').map((line) => line.split(':'));
  return entries.find(([name]) => name === wanted) ?? entries.find(([, , id]) => id === wanted) ?? null;
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function unknown(what: string, name: string): PorticoError {
  return new PorticoError('EXPORT_OWNER_UNKNOWN', `There is no ${what} ${name} on this machine.`, {
    fix: `Correct the owner, or give it as a number where a directory service knows the ${what}.`,
  });
}
