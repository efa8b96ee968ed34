import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planCertificate, plannedCertificates } from '../../../src/acme/planned-certificates.ts';
import { coversName } from '../../../src/base/certificate.ts';

const ID = /^[a-z0-9_][a-z0-9._-]{0,99}$/;

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const dnsName = fc.array(label, { minLength: 2, maxLength: 6 }).map((labels) => `${labels.join('.')}.test`);
const wildcard = dnsName.map((name) => `*.${name}`);
const name = fc.oneof(dnsName, fc.ipV4(), fc.ipV6());
const certificateName = fc.oneof({ arbitrary: dnsName, weight: 3 }, wildcard, fc.ipV6());

/** Few names, so that demands overlap. */
const small = fc.constantFrom('example.com', 'a.example.com', 'b.example.com', 'b.a.example.com', '192.0.2.1', '::1');
const smallWith = fc.oneof(small, fc.constantFrom('*.example.com', '*.a.example.com'));
const demand = fc.record({
  names: fc.array(small, { maxLength: 8 }),
  provided: fc.array(smallWith, { maxLength: 3 }),
  groups: fc.array(fc.array(smallWith, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
});

describe('plannedCertificates', () => {
  it('makes one certificate for each name, without repeats', () => {
    const planned = plannedCertificates({
      names: ['example.com', 'matrix.example.com', 'EXAMPLE.com'],
      provided: [],
      groups: [],
    });
    expect(planned).toEqual([
      { id: 'example.com', names: ['example.com'], profile: null },
      { id: 'matrix.example.com', names: ['matrix.example.com'], profile: null },
    ]);
  });

  it('leaves out what comes from files or the local CA, wildcards too', () => {
    const planned = plannedCertificates({
      names: ['example.com', 'a.example.com', 'b.a.example.com'],
      provided: ['*.example.com'],
      groups: [],
    });
    expect(planned.map(({ id }) => id)).toEqual(['example.com', 'b.a.example.com']);
  });

  it('puts a group into one certificate, also when no site asks for it', () => {
    const planned = plannedCertificates({
      names: ['example.com', 'matrix.example.com', 'example.net'],
      provided: [],
      groups: [['example.com', '*.example.com']],
    });
    expect(planned.map(({ names }) => names)).toEqual([['example.com', '*.example.com'], ['example.net']]);
  });

  it('asks for short-lived certificates for addresses, in their canonical form', () => {
    expect(plannedCertificates({ names: ['[2001:DB8:0::1]', '192.0.2.1'], provided: [], groups: [] })).toEqual([
      { id: '_ip-2001-db8--1', names: ['2001:db8::1'], profile: 'shortlived' },
      { id: '192.0.2.1', names: ['192.0.2.1'], profile: 'shortlived' },
    ]);
  });

  it('covers every name by what is provided or by exactly one plan of its own or of its groups', () => {
    fc.assert(
      fc.property(demand, ({ names, provided, groups }) => {
        const planned = plannedCertificates({ names, provided, groups });
        for (const each of names) {
          const alone = planned.filter((one) => one.names.length === 1 && one.names[0] === each);
          const listed = coversName([...provided, ...groups.flat()], each);
          const inGroup = groups.some((group) => planCertificate(group).id === planCertificate([each]).id);
          expect(alone).toHaveLength(listed && !inGroup ? 0 : 1);
        }
        expect(new Set(planned.map(({ id }) => id)).size).toBe(planned.length);
        for (const group of groups) expect(planned.map(({ id }) => id)).toContain(planCertificate(group).id);
      }),
    );
  });
});

describe('the id of a certificate', () => {
  it('can stand in the store and in an order, for all names', () => {
    fc.assert(
      fc.property(fc.array(certificateName, { minLength: 1, maxLength: 5 }), (names) => {
        expect(planCertificate(names).id).toMatch(ID);
      }),
    );
    expect(planCertificate([`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.test`]).id).toMatch(ID);
  });

  it('depends on the set of names and on nothing else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(certificateName, { minLength: 2, maxLength: 5 }), fc.nat(), (names, turn) => {
        const cut = turn % names.length;
        const turned = [...names.slice(cut), ...names.slice(0, cut), ...names.slice(0, 1)];
        expect(planCertificate(turned).id).toBe(planCertificate(names).id);
      }),
    );
  });

  it('is another for another set', () => {
    const sets = fc.array(fc.oneof(name, wildcard), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(sets, sets, (left, right) => {
        const key = (names: readonly string[]): string => [...planCertificate(names).names].sort().join(' ');
        expect(planCertificate(left).id === planCertificate(right).id).toBe(key(left) === key(right));
      }),
    );
  });
});
