// docs/metrics.md is printed from the registry: run this file with `vitest run -u` to print it again.
import { format } from 'prettier';
import { expect, it } from 'vitest';
import { createMetrics } from '../../../src/observability/metrics.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** Splits the help text into its sentence and the labels that end it. */
function row({ name, type, help }: Family): string {
  const [, sentence = '', labels = ''] = /^(.*)\. Labels: (.*)\.$/.exec(help) ?? [];
  expect(sentence, `${name}: help ends with its labels`).not.toBe('');
  const shown = labels === 'none' ? '' : labels.split(', ').map((label) => `\`${label}\``).join(', '); // prettier-ignore
  return `| \`${name}\` | ${type} | ${shown} | ${sentence.replaceAll('|', '\\|')} |`;
}

function print(families: readonly Family[]): string {
  return [
    '# Metrics',
    '',
    'Printed from `src/observability`. Served as Prometheus text at `/metrics` on `metrics.listen`, beside `/health/live` (200 as',
    'long as the process can work) and `/health/ready` (503 with the reasons while it should get no new clients). Labels are',
    'bounded: `class` as in [request-classes.md](request-classes.md), `code` as in [errors.md](errors.md); what goes beyond the',
    'bound is counted as `other`. Node’s own `process_*` and `nodejs_*` are there, too.',
    '',
    '| name | type | labels | what |',
    '| --- | --- | --- | --- |',
    ...families.map(row),
    '',
  ].join('\n');
}

it('docs/metrics.md lists every metric of ours', async () => {
  const { registry } = createMetrics({ processMetrics: false });
  const families: Family[] = (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
    name,
    type: String(type),
    help,
  }));
  for (const { name, type } of families) {
    expect(name).toMatch(/^portico_[a-z_]+$/);
    expect(name.endsWith('_total'), `${name}: counters, and only they, end in _total`).toBe(type === 'counter');
  }
  const text = await format(print(families), { parser: 'markdown', printWidth: 120, singleQuote: true });
  await expect(text).toMatchFileSnapshot('../../../docs/metrics.md');
});
