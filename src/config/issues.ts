/** Zod's issues as findings: stable codes, messages for people, "did you mean" for unknown keys. */
import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { CONFIG_CODES, type ProblemCode } from './codes.ts';
import type { Finding } from './problem.ts';
import { quote } from './refuse.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** Words for zod's type names, where a schema gives no expectation of its own. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'null',
};

/** Keys that people look for in a place where they are not. */
const HINTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'sites[].well_known.server':
      'remove it: the document follows from delegation: well-known and delegated_name (with delegation: srv there must be none)',
    'sites[].server': 'write server_name, or homeserver',
    'sites[].url': 'write homeserver',
    'sites[].upstream': 'write homeserver',
    'sites[].certificates': 'list the names under certificates at the top level',
    'sites[].well_known.client_base_url': 'set client.base_url of the site',
    'listeners[].http2': 'set http2.https or http2.federation at the top level',
    'listeners[].port': 'write address, such as ":443"',
  }),
);

/** Names of the known keys of the map at a path: what "did you mean" chooses from. */
export type KnownKeys = (path: Path) => readonly string[];

/**
 * All issues of a failed parse, in the order of the schema.
 * @param value - what was parsed: tells what stands at an issue's place
 */
export function findingsOf(issues: readonly Issue[], value: unknown, knownKeys: KnownKeys): Finding[] {
  return withoutConsequences(issues.flatMap((issue) => findings(issue, [], value, knownKeys)));
}

/** A mistyped key is one mistake: not an unknown key and a missing one, nor an unknown key and a choice not made. */
function withoutConsequences(all: readonly Finding[]): Finding[] {
  const unknown = all.filter((finding) => finding.code === 'CONFIG_UNKNOWN_KEY');
  const mapsAround = new Set(unknown.map((finding) => formatPath(finding.path.slice(0, -1))));
  const meant = new Set(
    unknown.map((finding) => `${formatPath(finding.path.slice(0, -1))} ${finding.fix.split(',')[0] ?? ''}`),
  );
  return all.filter((finding) => {
    if (finding.code === 'CONFIG_CHOICE') return !mapsAround.has(formatPath(finding.path));
    if (finding.code !== 'CONFIG_MISSING_KEY') return true;
    return !meant.has(`${formatPath(finding.path.slice(0, -1))} write ${String(finding.path.at(-1))}`);
  });
}

function findings(issue: Issue, base: Path, value: unknown, knownKeys: KnownKeys): Finding[] {
  const path = [...base, ...issue.path.filter((step) => typeof step !== 'symbol')];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, value, knownKeys));
  if (issue.code === 'invalid_union') {
    const branch = bestBranch(issue.errors);
    if (branch !== null) return branch.flatMap((inner) => findings(inner, path, value, knownKeys));
  }
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.code;
    const fix: unknown = issue.params?.fix;
    if (typeof code === 'string' && code in CONFIG_CODES && typeof fix === 'string') {
      return [{ path, at: 'value', severity: 'error', code: code as ProblemCode, message: issue.message, fix }];
    }
  }
  return [wrongValue(issue, path, value)];
}

/** The alternative of a union that the writer most likely meant: the one whose kind of value (text, map, list) it is. */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && isKindIssue(issue)));
  const [first] = fitting;
  return fitting.length === 1 && first !== undefined ? first : null;
}

function isKindIssue(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union';
}

function unknownKey(path: Path, key: string, value: unknown, knownKeys: KnownKeys): Finding {
  const present = valueAt(value, path);
  const known = knownKeys(path).filter((name) => !isRecord(present) || !Object.hasOwn(present, name));
  const meant = closest(key, known);
  const where = path.length === 0 ? 'at the top level' : `in ${formatPath(path)}`;
  const guess = meant === null ? '' : `; did you mean ${meant}?`;
  const hint = HINTS.get(formatPath([...path, key]).replace(/\[\d+\]/g, '[]'));
  const list = known.length === 0 ? 'remove it' : `remove it, or use one of: ${known.join(', ')}`;
  return {
    path: [...path, key],
    at: 'key',
    severity: 'error',
    code: 'CONFIG_UNKNOWN_KEY',
    message: `unknown key ${quote(key)} ${where}${hint === undefined ? guess : ''}`,
    fix: hint ?? (meant === null ? list : `write ${meant}, or remove the key`),
  };
}

/** The known key that a mistyped one is most likely to be: hyphens and case do not count, and a third of it may differ. */
function closest(key: string, known: readonly string[]): string | null {
  if (key.length > 100) return null;
  const plain = (name: string): string => name.toLowerCase().replaceAll('-', '_');
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const name of known) {
    const found = distance(plain(key), plain(name));
    if (found < bestDistance) {
      best = name;
      bestDistance = found;
    }
  }
  return best;
}

function wrongValue(issue: Issue, path: Path, value: unknown): Finding {
  const found = valueAt(value, path);
  const key = path.at(-1);
  const expectation = expectationOf(issue);
  const error = { path, at: 'value', severity: 'error' } as const;
  if (found === undefined && typeof key === 'string') {
    const where = path.length === 1 ? 'at the top level' : `in ${formatPath(path.slice(0, -1))}`;
    return {
      ...error,
      code: 'CONFIG_MISSING_KEY',
      message: `the key ${key} is missing ${where}`,
      fix: `add ${key}, ${expectation}`,
    };
  }
  const message = `expected ${expectation}, got ${describe(found)}`;
  if (issue.code === 'invalid_value') {
    return { ...error, code: 'CONFIG_NOT_ONE_OF', message, fix: oneOfFix(issue, found) };
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    return { ...error, code: 'CONFIG_OUT_OF_RANGE', message, fix: `write ${expectation}` };
  }
  return { ...error, code: 'CONFIG_WRONG_TYPE', message, fix: wrongTypeFix(expectation, found) };
}

function wrongTypeFix(expectation: string, found: unknown): string {
  if (found === null) return `write ${expectation}, or remove the key if you do not need it`;
  if (typeof found === 'number') {
    if (expectation.startsWith('a duration')) return `add the unit: ${String(found)}s if these are seconds`;
    if (expectation.startsWith('an address such as')) return `write ":${String(found)}" for this port on all addresses`;
    if (expectation.startsWith('text')) return `put it in quotes: "${String(found)}"`;
  }
  if (/^(a|the) list/.test(expectation) && (typeof found === 'string' || isRecord(found))) {
    return 'put it into a list: [ … ], or on a line that starts with "- "';
  }
  return `write ${expectation}`;
}

function oneOfFix(issue: Extract<Issue, { code: 'invalid_value' }>, found: unknown): string {
  const words = issue.values.filter((word) => typeof word === 'string');
  const meant = typeof found === 'string' ? closest(found, words) : null;
  return meant === null ? `use one of: ${words.join(', ')}` : `did you mean ${meant}?`;
}

/** What the schema said it expects; zod's own wording is replaced by ours. */
function expectationOf(issue: Issue): string {
  if (!/^(Invalid|Too|Expected)/.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return TYPE_WORDS[issue.expected] ?? issue.expected;
  return 'another value';
}

/** A value as it is shown in a message. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${String(value.length)}`;
  return 'a map';
}

/** A path as people write it: `sites[0].homeserver.url`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${String(step)}]` : `${index === 0 ? '' : '.'}${step}`))
    .join('');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}
