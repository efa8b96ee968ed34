/** What a reader finds in another program's store, not judged yet. */
import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';

/** A certificate with its key, PEM. */
export interface FoundCertificate {
  /** Where in the store, for the report. */
  readonly where: string;
  readonly chain: string;
  readonly key: string;
  /** URL of the CA's directory, https; null when the store does not tell. */
  readonly directory: string | null;
}

/** An account at a CA. */
export interface FoundAccount {
  readonly where: string;
  readonly key: KeyObject;
  readonly uri: string;
  /** URLs, such as `mailto:admin@example.com`. */
  readonly contact: readonly string[];
  readonly directory: string | null;
}

/** Something that looked like one of the two and could not be read. */
export interface Unreadable {
  readonly where: string;
  readonly why: string;
}

/** Accounts stand in the order of preference: of several for one CA, the first is taken. */
export interface Findings {
  readonly certificates: FoundCertificate[];
  readonly accounts: FoundAccount[];
  readonly unreadable: Unreadable[];
}

/** Nothing yet. */
export function noFindings(): Findings {
  return { certificates: [], accounts: [], unreadable: [] };
}

/** Runs one step; what it throws is a line of the report and does not end the reading. */
export async function attempt(findings: Findings, where: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    findings.unreadable.push({ where, why: messageOf(error) });
  }
}

/** The directory URL that a text is; null when it is none that can be used, as none but https is. */
export function directoryFrom(text: string | undefined): string | null {
  if (text === undefined || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === 'https:' ? url.href : null;
}

/**
 * The directory that a program names a folder after in a way that cannot be undone.
 * @param spell - how the program does it
 * @param directories - those that are known
 */
export function directoryNamed(
  folder: string,
  directories: readonly string[],
  spell: (url: URL) => string,
): string | null {
  return directories.find((each) => spell(new URL(each)) === folder) ?? null;
}

/**
 * Parses JSON that must be a map.
 * @throws Error in words
 */
export function jsonMap(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of JSON.parse quotes the text, which may be a key.
    throw new Error('it is not JSON');
  }
  return mapOf(value) ?? fail('it is not a JSON object');
}

/** The value as a map; null when it is none. */
export function mapOf(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return value as Record<string, unknown>;
}

/** The texts of a list; none when it is no list. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** A text that must be there. */
export function textOf(value: unknown, what: string): string {
  return typeof value === 'string' && value !== '' ? value : fail(`it has no ${what}`);
}

function fail(why: string): never {
  throw new Error(why);
}
