/**
 * How a value of the schema says no: one custom zod issue that carries our own code and fix, so that `issues.ts` can turn
 * it into a problem without guessing.
 */
import { z } from 'zod';
import type { ProblemCode } from './codes.ts';

/** What `issues.ts` finds in `params` of an issue made here. */
export interface RefusalParams {
  readonly code: ProblemCode;
  readonly fix: string;
}

/** The part of zod's transform context that is needed here. */
interface IssueSink {
  addIssue(issue: { code: 'custom'; message: string; params: Record<string, unknown>; path?: PropertyKey[] }): void;
}

/**
 * Records the refusal; `return refuse(…)` ends a transform.
 * @param path - keys below the value at hand, when the refusal is about one of its members
 */
export function refuse(
  context: IssueSink,
  code: ProblemCode,
  message: string,
  fix: string,
  path: PropertyKey[] = [],
): never {
  context.addIssue({ code: 'custom', message, params: { code, fix } satisfies RefusalParams, path });
  return z.NEVER;
}

/** A value as it is shown in a message: quoted, one line, cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
