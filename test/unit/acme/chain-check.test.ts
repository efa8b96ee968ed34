import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkReceivedChain } from '../../../src/acme/chain-check.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';
import type { IssuedCertificate } from '../../../src/tls/issue.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);
const END = START + 90 * 24 * HOUR;

let ca: IssuedCertificate;
let leaf: IssuedCertificate;

beforeAll(async () => {
  ca = await issueCa('Test', { notBefore: START - HOUR, notAfter: END + HOUR }, randomBytes);
  leaf = await issueLeaf(
    ca,
    ['example.com', '*.example.com', '192.0.2.1'],
    { notBefore: START, notAfter: END },
    randomBytes,
  );
});

const check = (names: readonly string[], now: number, chain = leaf.certificate + ca.certificate): unknown =>
  checkReceivedChain(chain, { key: leaf.key, names }, now);

describe('a received chain', () => {
  it('is taken when it covers every name', () => {
    expect(check(['example.com', '*.example.com', 'matrix.example.com', '192.0.2.1'], START + HOUR)).toMatchObject({
      source: 'acme',
    });
  });

  it.each(['example.org', '*.example.org', 'a.b.example.com', '192.0.2.2'])('is refused when %s is missing', (name) => {
    expect(() => check(['example.com', name], START + HOUR)).toThrow(
      expect.objectContaining({
        code: 'ACME_CHAIN_REFUSED',
        message: expect.stringContaining(`does not cover ${name}`),
      }),
    );
  });

  it.each([
    ['an hour early, because clocks are slow', START - HOUR, null],
    ['at its first moment', START, null],
    ['at its last moment', END, null],
    ['more than an hour early', START - HOUR - 1000, 'ACME_CHAIN_DATES'],
    ['after its end', END + 1000, 'ACME_CHAIN_DATES'],
  ])('%s', (_name, now, code) => {
    if (code === null) expect(check(['example.com'], now)).toBeDefined();
    else expect(() => check(['example.com'], now)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['in the wrong order', () => ca.certificate + leaf.certificate],
    ['larger than any chain', () => leaf.certificate + ' '.repeat(300_000)],
    ['empty', () => ''],
  ])('that is %s is refused', (_name, chain) => {
    expect(() => check(['example.com'], START + HOUR, chain())).toThrow(
      expect.objectContaining({ code: 'ACME_CHAIN_REFUSED' }),
    );
  });
});
