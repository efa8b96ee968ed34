/**
 * Which Node Portico starts on. Below 24.12 it does not run at all; below the releases with the latest security fixes for
 * what it uses it runs and says so.
 */
import type { Terminal } from './terminal.ts';

/** What to say of a Node release: nothing, a warning, or a refusal; with the fix. */
export type NodeVerdict =
  { kind: 'fine' } | { kind: 'warn'; message: string; fix: string } | { kind: 'refuse'; message: string; fix: string };

/** First release that strips types without a flag and has everything Portico calls. */
const OLDEST = [24, 12, 0] as const;

/** Per release line, the first release with the security fixes of 2026-10-21. Source: nodejs.org, security releases. */
const SECURITY_FLOOR = [
  [24, 22, 1],
  [26, 12, 1],
] as const;
const FIXED_THERE = 'TLS address normalisation, DNS names with NUL, brotli';

type Version = readonly [number, number, number];

function parse(version: string): Version {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return [major, minor, patch];
}

function isBelow(a: Version, b: Version): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  if (a[1] !== b[1]) return a[1] < b[1];
  return a[2] < b[2];
}

/**
 * Judges a Node release.
 * @param version - as in `process.versions.node`, such as `24.22.1`
 */
export function judgeNode(version: string): NodeVerdict {
  const release = parse(version);
  const releases = SECURITY_FLOOR.map((floor) => floor.join('.')).join(' or ');
  if (isBelow(release, OLDEST)) {
    return {
      kind: 'refuse',
      message: `Node ${version} cannot run Portico: it needs ${OLDEST.join('.')} or later`,
      fix: `Install Node ${releases} (or later in the same line).`,
    };
  }
  const floor = SECURITY_FLOOR.find(([major]) => major === release[0]);
  if (floor !== undefined && isBelow(release, floor)) {
    return {
      kind: 'warn',
      message: `Node ${version} lacks the security fixes of ${floor.join('.')} (2026-10-21: ${FIXED_THERE})`,
      fix: `Install Node ${floor.join('.')} or later before you serve the public with it.`,
    };
  }
  if (floor === undefined && release[0] % 2 === 1 && release[0] < 26) {
    return {
      kind: 'warn',
      message: `Node ${version} belongs to a release line that gets no security fixes any more`,
      fix: `Install Node ${releases} or later.`,
    };
  }
  return { kind: 'fine' };
}

/** Prints the warning about this Node, if there is one. */
export function warnAboutNode(version: string, terminal: Pick<Terminal, 'err'>): void {
  const verdict = judgeNode(version);
  if (verdict.kind === 'warn') terminal.err(`warning: ${verdict.message}\n  fix: ${verdict.fix}`);
}
