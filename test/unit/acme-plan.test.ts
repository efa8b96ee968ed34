import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acmeOutline } from '../../src/acme-plan.ts';
import { configOf, load } from './config/load-yaml.ts';

const SITE = (keys: string): string => `  - {homeserver: "http://127.0.0.1:8008", ${keys}}`;

async function names(sites: readonly string[], more = ''): Promise<string[]> {
  const config = await configOf(
    `sites:\n${sites.map(SITE).join('\n')}\nacme: {agree_to_terms: true, challenges: [http-01]}\n${more}`,
  );
  return acmeOutline(config).certificates.map((certificate) => certificate.names.join('+'));
}

describe('acmeOutline', () => {
  it.for([
    ['none', ['server_name: example.com'], ['example.com']],
    ['none with hosts', ['server_name: example.com, hosts: [chat.example.com]'], ['example.com', 'chat.example.com']],
    [
      'srv, also with the base domain elsewhere',
      ['server_name: example.com, delegation: srv, base_domain: elsewhere, hosts: [matrix.example.com]'],
      ['example.com', 'matrix.example.com'],
    ],
    [
      'well-known',
      ['server_name: example.com, delegation: well-known, delegated_name: "matrix.example.com:443"'],
      ['example.com', 'matrix.example.com'],
    ],
    [
      'well-known with the base domain elsewhere',
      [
        'server_name: example.com, delegation: well-known, delegated_name: "matrix.example.com:443", base_domain: elsewhere',
      ],
      ['matrix.example.com'],
    ],
    ['an address', ['server_name: "[2001:db8::1]"'], ['2001:db8::1']],
    ['two sites on one host', ['server_name: "example.com:8448"', 'server_name: "example.com:8449"'], ['example.com']],
  ] as const)('has the names of %s', async ([, sites, expected]) => {
    expect(await names(sites)).toEqual(expected);
  });

  it('leaves out what is listed with the local CA, and groups what is listed with acme', async () => {
    const sites = ['server_name: example.com, hosts: [a.example.com, b.example.com, c.example.com]'];
    const entries = `certificates:
  - {names: [a.example.com], local_ca: true}
  - {names: [b.example.com, turn.example.com], acme: true}
`;
    expect(await names(sites, entries)).toEqual(['b.example.com+turn.example.com', 'example.com', 'c.example.com']);
  });

  it('has nothing without the section acme', async () => {
    const config = await configOf(
      `sites:\n${SITE('server_name: example.com')}\ncertificates: [{names: [example.com], local_ca: true}]\n`,
    );
    expect(acmeOutline(config)).toEqual({ certificates: [], challenges: new Map() });
  });

  it('has a way for every name of a config that is accepted, and none for some name of one that is refused for it', async () => {
    const challenge = fc.constantFrom('tls-alpn-01', 'http-01', 'dns-01', 'dns-persist-01');
    const listener = fc.constantFrom(
      '{address: ":443", role: https}',
      '{address: ":8443", role: https}',
      '{address: ":8448", role: federation}',
      '{address: ":80", role: http}',
    );
    const site = fc.constantFrom(
      'server_name: example.com',
      'server_name: 192.0.2.1',
      'server_name: example.com, delegation: srv, base_domain: elsewhere, hosts: [matrix.example.com]',
      'server_name: example.com, base_domain: elsewhere',
    );
    let accepted = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.uniqueArray(challenge, { minLength: 1 }), { nil: null }),
        fc.uniqueArray(listener, { minLength: 1 }),
        site,
        fc.boolean(),
        async (challenges, listeners, each, wildcard) => {
          const yaml = [
            `sites:\n${SITE(each)}`,
            `listeners: [${listeners.join(', ')}]`,
            `acme:\n  agree_to_terms: true\n  dns: {exec: /bin/true}`,
            ...(challenges === null ? [] : [`  challenges: [${challenges.join(', ')}]`]),
            ...(wildcard ? ['certificates: [{names: ["*.example.org"], acme: true}]'] : []),
          ].join('\n');
          const result = await load(`${yaml}\n`);
          const codes = result.ok ? [] : result.problems.map(({ code }) => code);
          if (codes.some((code) => code !== 'CONFIG_ACME_CHALLENGE')) return;
          if (!result.ok) {
            refused += 1;
            return;
          }
          accepted += 1;
          const choices = [...acmeOutline(result.config).challenges.values()];
          expect(choices.filter(({ possible }) => possible.length === 0)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
    expect(accepted).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });
});
