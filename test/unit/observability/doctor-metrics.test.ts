import { expect, it } from 'vitest';
import { createMetrics } from '../../../src/observability/metrics.ts';

it('shows the last look at each site, and drops sites that are gone', async () => {
  const metrics = createMetrics({ processMetrics: false });
  const shown = async () => (await metrics.render()).split('\n').filter((line) => line.startsWith('portico_doctor_'));
  metrics.siteLooked({ serverName: 'a.example', lookedAt: 5000, findings: { error: 3, warning: 0, info: 1 } });
  metrics.siteLooked({ serverName: 'a.example', lookedAt: 9000, findings: { error: 1, warning: 0, info: 0 } });
  metrics.siteLooked({ serverName: 'b.example', lookedAt: 9000, findings: { error: 0, warning: 0, info: 0 } });
  metrics.keepSites(new Set(['a.example']));
  expect(await shown()).toEqual([
    'portico_doctor_findings{site="a.example",severity="error"} 1',
    'portico_doctor_findings{site="a.example",severity="warning"} 0',
    'portico_doctor_findings{site="a.example",severity="info"} 0',
    'portico_doctor_looked_timestamp_seconds{site="a.example"} 9',
  ]);
});

it('shows 200 sites at most', async () => {
  const metrics = createMetrics({ processMetrics: false });
  for (let n = 0; n < 500; n++) metrics.siteLooked({ serverName: `s${n}.example`, lookedAt: 0, findings: {} });
  expect((await metrics.render()).match(/^portico_doctor_looked_timestamp_seconds\{/gm)).toHaveLength(200);
});
