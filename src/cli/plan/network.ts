/** Whether the outside was asked, and answered; what is compared in the other sections stands or falls with it. */
import type { SiteLook } from '../../delegation/plan/site-look.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

/** The section `network`. */
export function networkSection({ sites, looks }: PlanContext): PlanSection {
  const title = 'The outside';
  if (looks === null) {
    const lines: PlanLine[] = [{ depth: 0, text: 'Nobody was asked: what is there already is not shown.' }];
    return { key: 'network', title, data: { asked: false, problems: [] }, lines };
  }
  const problems = sites.flatMap((site) => {
    const look = looks.get(site.name.text);
    const of = (problem: string) => [{ server_name: site.name.text, problem }];
    if (look === undefined) return of('not looked at: the time for all sites was over');
    if (!dnsAnswered(look)) return of(`DNS cannot be asked: ${whyOf(look)}`);
    return look.cutShort ? of('looked at in part: the time for all sites was over') : [];
  });
  const lines = problems.map(({ server_name, problem }): PlanLine => ({
    depth: 0,
    text: `${server_name}: ${problem}.`,
    kind: 'warn',
  }));
  return { key: 'network', title, data: { asked: true, problems }, lines };
}

/** False when every question failed: then nothing is known of the site. */
export function dnsAnswered({ dns, caa }: Pick<SiteLook, 'dns' | 'caa'>): boolean {
  const all = [...dns.values(), ...caa.values()];
  return all.length === 0 || all.some(({ kind }) => kind !== 'failed');
}

function whyOf({ dns }: SiteLook): string {
  for (const asked of dns.values()) if (asked.kind === 'failed') return asked.why;
  return 'no answer';
}
