import { describe, expect, it } from 'vitest';
import { alternateLinks } from '../../../src/acme/alternate-links.ts';

const link = (url: string, rel = 'alternate'): string => `<${url}>;rel="${rel}"`;

describe('alternateLinks', () => {
  it.each<[string, string | undefined, string[]]>([
    ['no field', undefined, []],
    ['other relations', link('https://ca.example/dir', 'index'), []],
    [
      'several in one field',
      `${link('https://ca.example/dir', 'index')}, ${link('https://ca.example/1')},${link('https://ca.example/2')}`,
      ['https://ca.example/1', 'https://ca.example/2'],
    ],
    [
      'a relation without quotes, among other parameters',
      '<https://ca.example/1> ; title="a, b" ; REL=alternate ; type="x"',
      ['https://ca.example/1'],
    ],
    ['commas in a URL', link('https://ca.example/1,2'), ['https://ca.example/1,2']],
    ['plain HTTP', link('http://ca.example/1'), []],
    ['a relation that only begins so', link('https://ca.example/1', 'alternates'), []],
    ['no URL', 'rel="alternate"', []],
  ])('%s', (_name, field, expected) => {
    expect(alternateLinks(field)).toEqual(expected);
  });

  it('gives eight at most, and takes no long time for a long field', () => {
    const many = Array.from({ length: 100 }, (_, index) => link(`https://ca.example/${index}`)).join(', ');
    expect(alternateLinks(many)).toHaveLength(8);
    expect(alternateLinks(`<${'https://ca.example/'.repeat(1000)}`.repeat(2) + ';a=b'.repeat(5000))).toEqual([]);
  });
});
