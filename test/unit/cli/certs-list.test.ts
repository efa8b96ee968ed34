import { describe, expect, it } from 'vitest';
import type { CertificateRow } from '../../../src/admin/api.ts';
import { certificateLines } from '../../../src/cli/certs/list.ts';
import { recordingTerminal } from './recording-terminal.ts';

function row(names: string[], more: Partial<CertificateRow> = {}): CertificateRow {
  return {
    names,
    source: 'acme',
    issuer: "Let's Encrypt YE1",
    profile: null,
    not_after: '2027-01-12T09:15:00.000Z',
    days_left: 45,
    next_renewal: '2026-12-28T03:07:11.000Z',
    reason: 'in the window that the CA suggests',
    last_problem: null,
    ...more,
  };
}

describe('certificateLines', () => {
  it('is a table with what expires first in front', () => {
    const rows = [
      row(['example.com', 'matrix.example.com', 'a.example.com', 'b.example.com', 'c.example.com']),
      row(['192.0.2.1'], { profile: 'shortlived', days_left: 3 }),
      row(['new.example'], { issuer: null, not_after: null, days_left: null, next_renewal: null, reason: null }),
    ];
    expect(certificateLines(rows, recordingTerminal())).toEqual(
      [
        'NAMES                                                  SOURCE  ISSUER             PROFILE     DAYS  RENEWAL               WHY',
        'new.example                                            acme    -                              none  -',
        "192.0.2.1                                              acme    Let's Encrypt YE1  shortlived     3  2026-12-28 03:07 UTC  in the window that the CA suggests",
        "example.com, matrix.example.com, a.example.com and 2 more  acme    Let's Encrypt YE1                45  2026-12-28 03:07 UTC  in the window that the CA suggests",
      ].map((line) => expect.stringMatching(asPattern(line)) as unknown),
    );
  });

  it('says each problem in full, with its fix, and nothing of it that could drive the terminal', () => {
    const problem = {
      code: 'ACME_RATE_LIMITED',
      message: 'too many certificates\u001b[31m already issued\r\nfor example.com',
      fix: 'Wait until 2026-12-01.',
      at: '2026-11-27T10:00:00.000Z',
    };
    const lines = certificateLines([row(['example.com'], { last_problem: problem })], recordingTerminal());
    expect(lines.slice(2)).toEqual([
      '',
      'ACME_RATE_LIMITED example.com: too many certificates [31m already issued for example.com',
      '  fix: Wait until 2026-12-01.',
      '  at 2026-11-27 10:00 UTC',
    ]);
  });

  it('is a paragraph each on a narrow terminal', () => {
    const lines = certificateLines([row(['example.com'])], { ...recordingTerminal(), columns: 60 });
    expect(lines).toEqual([
      'example.com',
      '  source   acme',
      "  issuer   Let's Encrypt YE1",
      '  days     45',
      '  renewal  2026-12-28 03:07 UTC',
      '  why      in the window that the CA suggests',
    ]);
  });

  it('colours the days: expired, soon, fine', () => {
    const days = (left: number) =>
      certificateLines([row(['a.example'], { days_left: left })], recordingTerminal(true))[1];
    expect(days(-1)).toContain('\u001b[31m-1\u001b[0m');
    expect(days(13)).toContain('\u001b[33m13\u001b[0m');
    expect(days(14)).toContain('\u001b[32m14\u001b[0m');
  });
});

/** The same words, whatever the width of the columns between them. */
function asPattern(line: string): RegExp {
  const words = line.split(/ {2,}/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${words.join(' {2,}')}$`);
}
