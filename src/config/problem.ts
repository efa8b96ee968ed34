/** What is wrong with a config, at which place, and what helps: the shape that `portico check` prints. */
import type { ProblemCode } from './codes.ts';

/** One problem. Errors keep a config from being used; warnings do not. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** The file as it was named. */
  readonly file: string;
  /** First line is 1. */
  readonly line: number;
  /** First column is 1. */
  readonly column: number;
  readonly code: ProblemCode;
  /** What is wrong, in one sentence without a full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly fix: string;
}

/** A problem before it has a place in the text: the schema and the checks know keys, not lines. */
export interface Finding {
  /** Keys and list indexes from the top of the file. */
  readonly path: readonly (string | number)[];
  /** Whether the key itself or its value is the place to look at. */
  readonly at: 'key' | 'value';
  readonly severity: 'error' | 'warning';
  readonly code: ProblemCode;
  readonly message: string;
  readonly fix: string;
}

/** An error at the value of `path`. */
export function errorAt(path: readonly (string | number)[], code: ProblemCode, message: string, fix: string): Finding {
  return { path, at: 'value', severity: 'error', code, message, fix };
}

/**
 * Two lines: `portico.yaml:3:5 CONFIG_DURATION expected a duration such as 30s, got "soon"`, then the fix. A warning says so
 * after its code.
 */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${String(problem.line)}:${String(problem.column)}`;
  const warning = problem.severity === 'warning' ? 'warning: ' : '';
  return `${place} ${problem.code} ${warning}${problem.message}\n    fix: ${problem.fix}`;
}
