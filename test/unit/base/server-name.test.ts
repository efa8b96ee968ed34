/** The grammar of server names (Matrix Appendices, "Server Name"). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseServerName } from '../../../src/base/server-name.ts';

describe('parseServerName', () => {
  it.for([
    ['matrix.org', 'matrix.org', undefined, false],
    ['matrix.org:8888', 'matrix.org', 8888, false],
    ['1.2.3.4', '1.2.3.4', undefined, true],
    ['1.2.3.4:1234', '1.2.3.4', 1234, true],
    ['[1234:5678::abcd]', '1234:5678::abcd', undefined, true],
    ['[1234:5678::abcd]:5678', '1234:5678::abcd', 5678, true],
    ['Matrix.ORG', 'matrix.org', undefined, false],
    ['localhost', 'localhost', undefined, false],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', undefined, false],
  ] as const)('reads %s', ([text, hostname, port, isIp]) => {
    expect(parseServerName(text)).toEqual({ text, hostname, port, isIp });
  });

  it.for([
    '',
    'localhost:http',
    '1234]',
    '[1234',
    '[1.2.3.4]',
    'underscore_.com',
    'percent%65.com',
    'newline.com\n',
    '.empty-label.com',
    'two..dots.com',
    'dot-at-the-end.com.',
    '1234:5678:80',
    ':80',
    'a.test:',
    'a.test:0',
    'a.test:65536',
    'a.test:000443',
    'a.test:+443',
    '[::1%eth0]',
    '[::1]8448',
    '::1',
    '1.2.3',
    '256.1.1.1',
    '-a.test',
    `${'a'.repeat(64)}.test`,
    `${'a.'.repeat(127)}ab`,
    'bücher.example',
    'a.test ',
    ' a.test',
    'https://a.test',
    'a.test/path',
    'user@a.test',
  ])('refuses %j', (text) => {
    expect(parseServerName(text)).toBeNull();
  });

  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
  const dnsName = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => [...labels, 'test'].join('.'));
  const host = fc.oneof(
    dnsName,
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });

  it('reads whatever the grammar makes, and keeps its parts', () => {
    fc.assert(
      fc.property(host, port, (name, number) => {
        const text = number === undefined ? name : `${name}:${number}`;
        const parsed = parseServerName(text);
        expect(parsed).toMatchObject({ text, port: number, hostname: name.replace(/^\[|\]$/g, '').toLowerCase() });
      }),
    );
  });

  it('takes nothing that could change a URL, a Host field or a DNS question', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const parsed = parseServerName(text);
        if (parsed === null) return;
        expect(text).toMatch(/^(?:[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/);
        expect(new URL(`https://${text}/`).username).toBe('');
      }),
    );
  });

  it('takes no valid name with one foreign character put in', () => {
    fc.assert(
      fc.property(
        dnsName,
        fc.nat(),
        fc.constantFrom('/', '@', '%', '_', ' ', '\n', '\0', '?', '#', '\\', 'é'),
        (name, at, bad) => {
          const place = at % (name.length + 1);
          expect(parseServerName(name.slice(0, place) + bad + name.slice(place))).toBeNull();
        },
      ),
    );
  });
});
