/**
 * The YAML text as plain values plus the place of every key and value. Refuses what YAML leaves open or what harms:
 * duplicate keys, several documents, unknown tags, alias bombs, nesting deeper than any config needs.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Pair,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { ProblemCode } from './codes.ts';
import { quote } from './refuse.ts';

/** A place in the text; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something that the YAML parser refused. */
export interface YamlProblem extends Place {
  readonly code: ProblemCode;
  readonly message: string;
  readonly fix: string;
}

/** A parsed text. */
export interface YamlDocument {
  /** Maps, lists, strings, numbers, booleans and null; undefined when `broken`, null when the text holds nothing. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** True when the problems leave no value to look at; duplicate keys alone do not. */
  readonly broken: boolean;
  /** Place of a key or of its value; of the nearest thing around it when it is not in the text. */
  place(path: readonly (string | number)[], at: 'key' | 'value'): Place;
}

/** Most values that one alias may expand to; the schema needs none, people use a handful. */
const MAX_ALIASES = 100;

/** Most duplicate keys reported. */
const MAX_DUPLICATES = 100;

/** Most syntax errors reported: after the first few they are consequences of each other. */
const MAX_SYNTAX_PROBLEMS = 5;

const SYNTAX_FIX =
  'correct the YAML here: indent with spaces, and quote values that contain ": " or start with one of * & ! % @ ` [ {';

/** Fixes for the syntax errors that people make most. */
const SYNTAX_FIXES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'replace the tab by spaces',
  BAD_INDENT: 'align this line with its neighbours, with spaces',
  BLOCK_AS_IMPLICIT_KEY: 'align the lines below with the key on this line, or quote the value if it contains ": "',
  MULTIPLE_DOCS: 'keep one document: remove everything from the second --- on',
  TAG_RESOLVE_FAILED: 'remove the tag (the word after !)',
  MISSING_CHAR: 'close the quote or bracket that is opened here or above',
  NON_STRING_KEY: 'write the key as a word',
  RESOURCE_EXHAUSTION: 'a config needs no such nesting; check that the path is that of a config file',
};

/** Reads YAML 1.2 (core schema). Never throws. */
export function readYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const found = lines.linePos(offset);
    return { line: Math.max(1, found.line), column: Math.max(1, found.col) };
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Anything above `silent`: the parser reports a second document only then.
    logLevel: 'error',
    stringKeys: true,
    // The parser compares every key with every other; `duplicateKeys` needs one pass.
    uniqueKeys: false,
  });
  const index: PairIndex = new WeakMap();
  const place = (path: readonly (string | number)[], at: 'key' | 'value'): Place =>
    placeAt(offsetOf(document, index, path, at));
  const broken = (problems: readonly YamlProblem[]): YamlDocument => ({
    value: undefined,
    problems,
    broken: true,
    place,
  });

  const refused = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (refused.length > 0) {
    const problems = refused.map((error) => ({ ...placeAt(error.pos[0]), ...syntaxProblem(error) }));
    // Several errors on one line are one mistake.
    const first = problems.filter((problem, index) => problem.line !== problems[index - 1]?.line);
    return broken(first.slice(0, MAX_SYNTAX_PROBLEMS));
  }
  const problems = duplicateKeys(document, placeAt);
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    if (!containsItself(value)) return { value, problems, broken: false, place };
    return broken([...problems, { ...placeAt(firstAlias(document)), ...CIRCULAR }]);
  } catch (error) {
    return broken([...problems, { ...placeAt(firstAlias(document)), ...aliasProblem(error) }]);
  }
}

function syntaxProblem(error: YAMLError): Omit<YamlProblem, keyof Place> {
  if (error.code === 'BAD_ALIAS') return aliasProblem(error);
  const [sentence = 'not YAML'] = error.message.split(/[\n;]/);
  const code = sentence.includes('end with a') ? 'MISSING_CHAR' : error.code;
  return {
    code: 'CONFIG_YAML_SYNTAX',
    message: `this is not YAML: ${sentence.replace(/[.:]$/, '')}`,
    fix: SYNTAX_FIXES[code] ?? SYNTAX_FIX,
  };
}

function aliasProblem(error: unknown): Omit<YamlProblem, keyof Place> {
  const text = error instanceof Error ? error.message : '';
  if (text.includes('Excessive')) {
    return {
      code: 'CONFIG_ALIASES',
      message: 'the aliases in this file multiply to more values than any config needs',
      fix: 'write the values out instead of using anchors and aliases',
    };
  }
  const name = /: ([^\s:]+)$/.exec(text)?.[1];
  return {
    code: 'CONFIG_ALIASES',
    message: name === undefined ? 'an alias here leads nowhere' : `the alias *${name} leads nowhere`,
    fix: 'put a value that starts with * or & in quotes, or write the value out instead of using an alias',
  };
}

const CIRCULAR = {
  code: 'CONFIG_ALIASES',
  message: 'an alias here stands inside the value that it repeats, which would never end',
  fix: 'write the value out instead of using an alias',
} as const;

/** True when a value is a part of itself, as in `a: &a [*a]`: nothing that walks over it would come to an end. */
function containsItself(value: unknown, above = new Set(), done = new Set()): boolean {
  if (typeof value !== 'object' || value === null || done.has(value)) return false;
  if (above.has(value)) return true;
  above.add(value);
  const found = Object.values(value).some((each) => containsItself(each, above, done));
  above.delete(value);
  done.add(value);
  return found;
}

function firstAlias(document: Document.Parsed): number {
  let offset = 0;
  visit(document, {
    Alias: (_key, node) => {
      offset = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function duplicateKeys(document: Document.Parsed, placeAt: (offset: number) => Place): YamlProblem[] {
  const problems: YamlProblem[] = [];
  visit(document, {
    Map: (_key, map) => {
      const seen = new Map<string, number>();
      for (const pair of map.items) {
        if (!isScalar(pair.key) || typeof pair.key.value !== 'string') continue;
        const offset = pair.key.range?.[0] ?? 0;
        const first = seen.get(pair.key.value);
        if (first === undefined) seen.set(pair.key.value, offset);
        else if (problems.length < MAX_DUPLICATES) {
          problems.push({
            ...placeAt(offset),
            code: 'CONFIG_DUPLICATE_KEY',
            message: `the key ${quote(pair.key.value)} stands here a second time; the first is on line ${String(placeAt(first).line)}`,
            fix: 'keep one of the two',
          });
        }
      }
    },
  });
  return problems;
}

/** Where the thing at `path` begins; for what is not in the text, where the innermost thing around it begins. */
function offsetOf(
  document: Document.Parsed,
  index: PairIndex,
  path: readonly (string | number)[],
  at: 'key' | 'value',
): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = pairsOf(node, index).get(String(step));
      if (pair === undefined) return offset;
      const keyOffset = startOf(pair.key);
      node = pair.value;
      const wantsKey = at === 'key' && depth === path.length - 1;
      offset = (wantsKey ? keyOffset : (startOf(node) ?? keyOffset)) ?? offset;
      // `key:` with nothing behind it has its value at the end of the line or later: the key is what people look for.
      if (isScalar(node) && node.value === null && node.source === '') offset = keyOffset ?? offset;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

/** The pairs of each map that was asked for, by key. */
type PairIndex = WeakMap<YAMLMap, ReadonlyMap<string, Pair>>;

function pairsOf(map: YAMLMap, index: PairIndex): ReadonlyMap<string, Pair> {
  const known = index.get(map);
  if (known !== undefined) return known;
  // With a duplicate key the last one counts in the value, and so it does here.
  const pairs = new Map(
    map.items.flatMap((pair): [string, Pair][] => (isScalar(pair.key) ? [[String(pair.key.value), pair]] : [])),
  );
  index.set(map, pairs);
  return pairs;
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const start: unknown = node.range[0];
  return typeof start === 'number' ? start : undefined;
}
