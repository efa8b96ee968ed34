import { describe, expect, it } from 'vitest';
import { decideSniHost } from '../../../src/policy/sni-host.ts';

const one = { name: 'one' };
const two = { name: 'two' };

describe('decideSniHost', () => {
  it.each([
    ['no SNI', { servername: null, certificateNames: [], hostname: 'b.example', site: two, sniSites: [] }, null],
    [
      'the same name',
      { servername: 'a.example', certificateNames: [], hostname: 'a.example', site: one, sniSites: [one] },
      null,
    ],
    [
      'two names of one site',
      { servername: 'a.example', certificateNames: ['a.example'], hostname: 'b.example', site: one, sniSites: [one] },
      null,
    ],
    [
      'a name on two sites',
      { servername: 'a.example', certificateNames: [], hostname: 'x.example', site: two, sniSites: [one, two] },
      null,
    ],
    [
      'a certificate for both',
      {
        servername: 'a.example',
        certificateNames: ['a.example', 'b.example'],
        hostname: 'b.example',
        site: two,
        sniSites: [one],
      },
      null,
    ],
    [
      'a wildcard for both',
      { servername: 'a.example', certificateNames: ['*.example'], hostname: 'b.example', site: two, sniSites: [one] },
      null,
    ],
    [
      'an address in the certificate',
      {
        servername: 'a.example',
        certificateNames: ['2001:db8::1'],
        hostname: '[2001:db8::1]',
        site: two,
        sniSites: [one],
      },
      null,
    ],
    [
      'another site',
      { servername: 'a.example', certificateNames: ['a.example'], hostname: 'b.example', site: two, sniSites: [one] },
      'HOST_NOT_SNI',
    ],
    [
      'a wildcard that is too short',
      { servername: 'a.example', certificateNames: ['*.example'], hostname: 'x.b.example', site: two, sniSites: [one] },
      'HOST_NOT_SNI',
    ],
    [
      'an SNI of no site',
      { servername: 'c.example', certificateNames: ['c.example'], hostname: 'b.example', site: two, sniSites: [] },
      'HOST_NOT_SNI',
    ],
  ])('%s', (_, facts, code) => {
    expect(decideSniHost(facts)?.code ?? null).toBe(code);
  });
});
