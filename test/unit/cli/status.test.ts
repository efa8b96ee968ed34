import { describe, expect, it } from 'vitest';
import type { StatusReport } from '../../../src/admin/api.ts';
import { statusLines } from '../../../src/cli/status.ts';
import { recordingTerminal } from './recording-terminal.ts';

const NOW = Date.UTC(2026, 10, 28, 12);
const REPORT: StatusReport = {
  version: '1.2.3',
  node: '24.22.1',
  pid: 42,
  config: '/etc/portico/portico.yaml',
  started_at: '2026-11-25T08:00:00.000Z',
  draining: false,
  ready: true,
  reasons: [],
  snapshot_version: 7,
  listeners: [
    { role: 'https', host: '::', port: 443 },
    { role: 'http', host: '192.0.2.1', port: 80 },
  ],
  metrics: null,
  sites: ['example.com'],
  certificates: { count: 2, first_expiry: '2026-12-28T13:00:00.000Z' },
};

describe('statusLines', () => {
  it('says what a person wants to know first', () => {
    expect(statusLines(REPORT, NOW, recordingTerminal())).toEqual([
      'Portico 1.2.3 is serving',
      '  process       pid 42, for 3 d 4 h, Node 24.22.1',
      '  config        /etc/portico/portico.yaml',
      '  snapshot      version 7',
      '  https         [::]:443',
      '  http          192.0.2.1:80',
      '  sites         example.com',
      '  certificates  2, the first expires in 30 days',
    ]);
  });

  it('gives the reasons when it is not ready, and a number where the sites are many', () => {
    const report = {
      ...REPORT,
      ready: false,
      reasons: ['listeners: stopping'],
      sites: Array.from({ length: 6 }, (_, index) => `s${index}.example`),
      certificates: { count: 0, first_expiry: null },
    };
    const lines = statusLines(report, NOW, recordingTerminal());
    expect(lines[0]).toBe('Portico 1.2.3 is not ready');
    expect(lines[1]).toBe('  because       listeners: stopping');
    expect(lines.slice(-2)).toEqual(['  sites         6', '  certificates  0']);
    expect(statusLines({ ...report, draining: true }, NOW, recordingTerminal())[0]).toBe('Portico 1.2.3 is ending');
  });
});
