/** Owner of a file, as `chown` takes it. */

/** Names or numbers, not looked up yet; without a group it is the user's own. */
export interface FileOwner {
  readonly user: string;
  readonly group: string | null;
}

const NAME = /^(?:[a-z_][a-z0-9_.-]{0,31}\$?|\d{1,9})$/i;

/**
 * Reads `USER` or `USER:GROUP`.
 * @returns null for anything else
 */
export function parseFileOwner(text: string): FileOwner | null {
  const [user = '', group, ...rest] = text.split(':');
  if (rest.length > 0 || !NAME.test(user) || (group !== undefined && !NAME.test(group))) return null;
  return { user, group: group ?? null };
}
