import { CATALOGUE, FINDING_CODES } from './catalogue.ts';
import type { FindingCode, Severity } from './catalogue.ts';
import { printable } from '../printable.ts';
import type { Evidence } from './evidence.ts';

/** Something that was found, as people and programs get it. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** What was seen: names, addresses and numbers of the case at hand. */
  readonly seen: string;
  readonly why: string;
  readonly fix: string;
  readonly spec: string;
}

/** A pure judgement over what was gathered. */
export interface Check {
  /** The codes it can give. */
  readonly codes: readonly FindingCode[];
  judge(evidence: Evidence): readonly Finding[];
}

/**
 * Makes a finding from its catalogue entry.
 * @param fix - better words than the catalogue's, with the names of the case at hand
 */
export function finding(code: FindingCode, seen: string, fix?: string): Finding {
  const { severity, why, fix: usual, spec } = CATALOGUE[code];
  return { code, severity, seen: printable(seen), why, fix: printable(fix ?? usual), spec };
}

/** Errors first, and among equals in the order of the catalogue: causes before consequences. */
export function byHarm(findings: readonly Finding[]): Finding[] {
  const rank = (one: Finding): number => FINDING_CODES.indexOf(one.code);
  return [...findings].sort((a, b) => rank(a) - rank(b));
}
