/** A diagnosis as a person reads it: the verdict, what was found with the change to make, then what was seen. */
import type { Diagnosis } from '../../delegation/doctor/diagnose.ts';
import type { Evidence, PlaceSeen } from '../../delegation/doctor/evidence.ts';
import type { Finding } from '../../delegation/doctor/finding.ts';
import type { Severity } from '../../delegation/doctor/catalogue.ts';
import { isOutOfReach, placeName, replyProblem, withoutPlace } from '../../delegation/doctor/places.ts';
import { versionOf } from '../../delegation/doctor/version.ts';
import { printable } from '../../delegation/printable.ts';
import { trustProblem } from '../../delegation/outbound/dial.ts';
import { stepTitle } from '../../delegation/resolve/steps/index.ts';
import { paint } from '../terminal.ts';
import type { Style, Terminal } from '../terminal.ts';
import { wrap } from '../wrap.ts';

const WIDTH = 100;
const DAY_MS = 86_400_000;
const MARKS: Record<Severity, readonly [Style, string]> = {
  error: ['red', '✗'],
  warning: ['yellow', '!'],
  info: ['cyan', 'i'],
};

/** The lines. */
export function diagnosisLines(diagnosis: Diagnosis, terminal: Terminal): string[] {
  const { serverName, findings, evidence } = diagnosis;
  return [
    `${paint(terminal, 'bold', serverName)}  ${verdict(diagnosis, terminal)}`,
    '',
    ...findings.flatMap((one) => [...findingLines(one, terminal), '']),
    paint(terminal, 'bold', 'What peers see'),
    ...peerLines(evidence, terminal),
    ...clientLines(evidence, terminal),
  ];
}

/** One finding. */
export function findingLines({ code, severity, seen, why, fix, spec }: Finding, terminal: Terminal): string[] {
  const [style, mark] = MARKS[severity];
  const part = (label: string, text: string): string[] =>
    wrap(text, WIDTH - 10).map((line, index) => `    ${(index === 0 ? label : '').padEnd(5)} ${line}`);
  return [
    `  ${paint(terminal, style, mark)} ${paint(terminal, 'bold', code)}  ${paint(terminal, 'dim', severity)}`,
    ...part('seen', seen),
    ...part('why', why),
    ...part('fix', fix),
    ...part('spec', spec).map((line) => paint(terminal, 'dim', line)),
  ];
}

function verdict({ findings }: Diagnosis, terminal: Terminal): string {
  const count = (severity: Severity, word: string): string[] => {
    const number = findings.filter((one) => one.severity === severity).length;
    return number === 0 ? [] : [`${String(number)} ${word}${number === 1 ? '' : 's'}`];
  };
  const errors = count('error', 'error');
  const warnings = count('warning', 'warning');
  const parts = [...errors, ...warnings];
  if (errors.length > 0) return paint(terminal, 'red', `✗ ${parts.join(', ')}`);
  if (warnings.length > 0) return paint(terminal, 'yellow', `✓ reachable, ${parts.join(', ')}`);
  return paint(terminal, 'green', '✓ everything is fine');
}

function peerLines({ resolution, places, now }: Evidence, terminal: Terminal): string[] {
  const { step, targets, delegated } = resolution;
  const [target] = targets;
  if (target === undefined) return [`  nothing: discovery ends at step ${step}`];
  const by = delegated === null ? '' : ` (the document says ${delegated.text})`;
  const sni = target.sni ?? 'none';
  const width = Math.max(...places.map((place) => placeName(place).length));
  return [
    `  by step ${step}, ${stepTitle(step)}${by}`,
    `  Host ${target.host}, SNI ${sni}, certificate for ${target.certificateName}`,
    ...places.map((place) => {
      const trusted = place.tls.ok && trustProblem(place.tls.value, target.certificateName) === null;
      const well = trusted && place.keys !== null && replyProblem(place.keys) === null;
      const [style, mark] = well ? (['green', '✓'] as const) : isOutOfReach(place) ? MARKS.info : MARKS.error;
      return `  ${paint(terminal, style, mark)} ${placeName(place).padEnd(width)}  ${placeText(place, now)}`;
    }),
  ];
}

function placeText({ tls, keys, version, http2, canary }: PlaceSeen, now: number): string {
  if (!tls.ok) return printable(withoutPlace(tls.failure.message));
  const { value } = tls;
  const leaf = value.chain[0];
  const days = leaf === undefined ? null : Math.floor((leaf.notAfter - now) / DAY_MS);
  const software = version?.ok === true ? versionOf(version.value.json) : null;
  const problem = keys === null ? null : replyProblem(keys);
  const parts = [
    value.version.replace('v', ' '),
    ...(http2 === true ? ['HTTP/2'] : []),
    ...(days === null ? [] : [`certificate for ${leaf?.names[0] ?? 'no name'}, ${String(days)} days left`]),
    ...(software === null ? [] : [`${software.name} ${software.version}`.trim()]),
    ...(problem === null ? [] : [`keys: ${problem}`]),
    ...(canary !== null && canary.received === canary.sent ? ['URIs unchanged'] : []),
    `${String(value.ms)} ms`,
  ];
  return printable(parts.join(' · '));
}

function clientLines({ client, support, versions }: Evidence, terminal: Terminal): string[] {
  if (client === null) return [];
  const lines = ['', paint(terminal, 'bold', 'What clients see')];
  const row = (name: string, good: boolean | null, text: string): void => {
    const [style, mark] = good === null ? (['dim', '–'] as const) : good ? (['green', '✓'] as const) : MARKS.error;
    lines.push(`  ${paint(terminal, style, mark)} ${name.padEnd(30)}  ${printable(text)}`);
  };
  for (const [name, document] of [
    ['/.well-known/matrix/client', client],
    ['/.well-known/matrix/support', support],
  ] as const) {
    const status = document?.status ?? null;
    const good = status === 200 ? document?.json !== undefined : status === 404 ? null : false;
    row(
      name,
      good,
      status === null ? withoutPlace(document?.failure?.message ?? 'not asked') : `status ${String(status)}`,
    );
  }
  if (versions !== null) {
    const problem = replyProblem(versions.reply);
    row(
      '/_matrix/client/versions',
      problem === null,
      `${new URL(versions.url).origin}${problem === null ? '' : `: ${problem}`}`,
    );
  }
  return lines;
}
