/** What stands in the way, the most harmful first. */
import { planWarnings } from '../../delegation/plan/warnings.ts';
import type { PlanWarning } from '../../delegation/plan/warnings.ts';
import { dnsAnswered } from './network.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

const MARKS = { error: '✗', warning: '!', info: 'i' } as const;

/** The section `warnings`. */
export function warningsSection({ sites, own, looks }: PlanContext): PlanSection {
  const data = sites.flatMap((site) => {
    const look = looks?.get(site.name.text);
    // Without DNS everything fails, and none of it is the site's fault.
    if (look === undefined || !dnsAnswered(look)) return [];
    return planWarnings(site, own, look).map((one) => ({ server_name: site.name.text, ...one }));
  });
  const lines = data.flatMap((one, index): PlanLine[] => [
    ...(index === 0 ? [] : [{ depth: 0, text: '' } as const]),
    ...warningLines(one, sites.length > 1 ? ` (${one.server_name})` : ''),
  ]);
  return { key: 'warnings', title: 'Warnings', data, lines };
}

function warningLines({ code, severity, seen, why, fix, spec }: PlanWarning, of: string): PlanLine[] {
  return [
    { depth: 0, text: `${MARKS[severity]} ${code}${of}`, kind: 'warn' },
    { depth: 1, text: `seen: ${seen}` },
    { depth: 1, text: `why: ${why}` },
    { depth: 1, text: `fix: ${fix}` },
    { depth: 1, text: `spec: ${spec}` },
  ];
}
