/** HTTP-01 and TLS-ALPN-01 as an order uses them: present, look, clean up. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ChallengeTask } from '../../../../src/acme/challenge.ts';
import { ChallengeBoard } from '../../../../src/acme/challenges/board.ts';
import { http01Solver } from '../../../../src/acme/challenges/http-01.ts';
import { tlsAlpn01Solver } from '../../../../src/acme/challenges/tls-alpn-01.ts';
import { identifierOf } from '../../../../src/acme/identifier.ts';

const clock = { now: () => Date.UTC(2026, 10, 28), monotonic: () => 0 };
const signal = new AbortController().signal;

function task(type: 'http-01' | 'tls-alpn-01', name: string, more: Partial<ChallengeTask> = {}): ChallengeTask {
  return {
    type,
    identifier: identifierOf(name),
    wildcard: false,
    token: 'tok_en-1',
    keyAuthorization: 'tok_en-1.print',
    accountUri: 'https://ca.example/acct/1',
    issuerDomainNames: [],
    ...more,
  };
}

describe('http01Solver', () => {
  it('is seen from present to cleanUp', async () => {
    const board = new ChallengeBoard();
    const solver = http01Solver(board);
    const one = task('http-01', 'example.com');
    await solver.present(one, signal);
    expect(board.http01('tok_en-1')).toBe('tok_en-1.print');
    await solver.cleanUp(one);
    expect(board.size).toBe(0);
  });

  it.for(['', '../../etc/passwd', 'a/b', 'a%2Fb', 'a b', 'ü', 'x'.repeat(129), 'a\n'])(
    'refuses the token %j',
    async (token) => {
      const board = new ChallengeBoard();
      const wanted = task('http-01', 'example.com', { token });
      await expect(http01Solver(board).present(wanted, signal)).rejects.toMatchObject({
        code: 'ACME_CHALLENGE_IMPOSSIBLE',
      });
      expect(board.size).toBe(0);
    },
  );
});

describe('tlsAlpn01Solver', () => {
  it.for([
    ['Example.com', 'example.com', 'DNS:'],
    ['192.0.2.1', '1.2.0.192.in-addr.arpa', 'IP Address:192.0.2.1'],
    ['2001:db8::1', `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`, 'IP Address:2001:DB8:'],
  ] as const)('%s is answered under the SNI %s', async ([name, servername, san]) => {
    const board = new ChallengeBoard();
    const solver = tlsAlpn01Solver(board, { clock, random: randomBytes });
    const one = task('tls-alpn-01', name);
    await solver.present(one, signal);
    const shown = board.tlsAlpn01(servername);
    expect(new X509Certificate(shown!.certificate).subjectAltName).toContain(san);
    await solver.cleanUp(one);
    expect(board.size).toBe(0);
  });

  it('an order that was aborted meanwhile leaves nothing behind', async () => {
    const board = new ChallengeBoard();
    const abort = new AbortController();
    const presented = tlsAlpn01Solver(board, { clock, random: randomBytes }).present(
      task('tls-alpn-01', 'example.com'),
      abort.signal,
    );
    abort.abort();
    await expect(presented).rejects.toThrow();
    expect(board.size).toBe(0);
  });
});

it('neither shows control of a wildcard', async () => {
  const board = new ChallengeBoard();
  for (const solver of [http01Solver(board), tlsAlpn01Solver(board, { clock, random: randomBytes })]) {
    const wanted = task(solver.type as 'http-01', 'example.com', { wildcard: true });
    await expect(solver.present(wanted, signal)).rejects.toMatchObject({ code: 'ACME_CHALLENGE_IMPOSSIBLE' });
  }
  expect(board.size).toBe(0);
});
