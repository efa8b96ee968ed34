import { describe, expect, it } from 'vitest';
import { renderTable } from '../../../src/cli/table.ts';
import { recordingTerminal } from './recording-terminal.ts';

const COLUMNS = [{ title: 'NAMES' }, { title: 'ISSUER' }, { title: 'DAYS', align: 'right' as const }, { title: 'WHY' }];
const ROWS = [
  [{ text: 'example.com' }, { text: "Let's Encrypt YE1" }, { text: '9', style: 'yellow' as const }, { text: 'window' }],
  [{ text: 'münchen.example' }, { text: '-' }, { text: '120' }, { text: '' }],
];

describe('renderTable', () => {
  it('aligns its columns, numbers to the right, without blanks at the end', () => {
    expect(renderTable(COLUMNS, ROWS, recordingTerminal())).toEqual([
      'NAMES            ISSUER             DAYS  WHY',
      "example.com      Let's Encrypt YE1     9  window",
      'münchen.example  -                   120',
    ]);
  });

  it('is as well aligned with colour', () => {
    const plainLines = renderTable(COLUMNS, ROWS, recordingTerminal());
    const coloured = renderTable(COLUMNS, ROWS, recordingTerminal(true));
    expect(coloured.join('')).toContain('\u001b[33m9\u001b[0m');
    // eslint-disable-next-line no-control-regex -- the escapes are what is taken away
    expect(coloured.map((line) => line.replace(/\u001b\[\d+m/g, ''))).toEqual(plainLines);
  });

  it('leaves out a column that is empty in every row', () => {
    const rows = ROWS.map(([names, , days]) => [names!, { text: '' }, days!, { text: '' }]);
    expect(renderTable(COLUMNS, rows, recordingTerminal())[0]).toBe('NAMES            DAYS');
  });

  it('becomes a paragraph a row where the terminal is too narrow, and a table again where it just fits', () => {
    const narrow = { ...recordingTerminal(), columns: 47 };
    expect(renderTable(COLUMNS, ROWS, narrow)).toEqual([
      'example.com',
      "  issuer  Let's Encrypt YE1",
      '  days    9',
      '  why     window',
      '',
      'münchen.example',
      '  issuer  -',
      '  days    120',
    ]);
    expect(renderTable(COLUMNS, ROWS, { ...recordingTerminal(), columns: 48 })).toHaveLength(3);
  });

  it('lets no control character of others reach the terminal', () => {
    const text = 'evil\u001b[2J\r\nforged\u0007\u009b31m\u202e';
    const lines = renderTable([{ title: 'A' }], [[{ text }]], recordingTerminal());
    expect(lines).toEqual(['A', 'evil [2J forged 31m']);
  });
});
