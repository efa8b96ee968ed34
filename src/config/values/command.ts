/** Commands that are started without a shell, owners and modes of files. */
import { z } from 'zod';
import { commandWords } from '../../base/command-words.ts';
import { parseKeyFileMode } from '../../base/file-mode.ts';
import { parseFileOwner } from '../../base/file-owner.ts';
import { quote, refuse } from '../refuse.ts';

const MAX_WORDS = 100;

/** `systemctl reload coturn`, or a list of words where one holds blanks or signs that a shell would read. */
export function command() {
  const expectation = 'a command, or a list of its words';
  const words = z.array(z.string({ error: 'text' }), { error: expectation });
  return z
    .union([z.string({ error: expectation }), words], { error: expectation })
    .meta({ 'x-type': 'command' })
    .transform((value, context): readonly string[] => {
      const found = typeof value === 'string' ? commandWords(value) : value;
      if (found?.[0] !== undefined && found[0] !== '' && found.length <= MAX_WORDS && !found.join('').includes('\0')) {
        return found;
      }
      const seen =
        typeof value === 'string' ? quote(value) : 'an empty list, an empty first word or more than 100 words';
      return refuse(
        context,
        'CONFIG_COMMAND',
        `expected a program and its arguments, got ${seen}`,
        'no shell reads it: write a list such as [systemctl, reload, coturn], or call a script of your own',
      );
    });
}

/** `USER` or `USER:GROUP`, names or numbers. */
export function fileOwner() {
  return z
    .string({ error: 'an owner such as root:turnserver' })
    .meta({ 'x-type': 'owner' })
    .transform((value, context) => {
      const message = `expected an owner such as root:turnserver, got ${quote(value)}`;
      const fix = 'write USER or USER:GROUP, names or numbers';
      return parseFileOwner(value) ?? refuse(context, 'CONFIG_FILE_OWNER', message, fix);
    });
}

/** Permission bits of a private key, in quotes: YAML reads 0640 without them as the number six hundred and forty. */
export function keyFileMode() {
  return z
    .string({ error: 'a mode in quotes such as "0640"' })
    .meta({ 'x-type': 'file mode' })
    .transform((value, context) => {
      const message = `expected a mode for a private key such as "0640", got ${quote(value)}`;
      const fix = 'write "0600", or "0640" for a group that may read it; others must not, and nobody executes a key';
      return parseKeyFileMode(value) ?? refuse(context, 'CONFIG_FILE_MODE', message, fix);
    });
}
