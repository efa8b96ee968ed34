import { formatProblem } from '../config/index.ts';
import type { Problem } from '../config/index.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Prints a config's problems, each with its place and fix, and how many there are. */
export function printProblems(problems: readonly Problem[], print: (line: string) => void, terminal: Terminal): void {
  for (const problem of problems) print(formatProblem(problem));
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  const count = (n: number, word: string): string => `${String(n)} ${word}${n === 1 ? '' : 's'}`;
  const text = [
    ...(errors > 0 ? [count(errors, 'error')] : []),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ].join(', ');
  if (text !== '') print(paint(terminal, errors > 0 ? 'red' : 'yellow', text));
}
