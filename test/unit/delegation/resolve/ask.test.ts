import { describe, expect, it } from 'vitest';
import { PorticoError } from '../../../../src/base/errors.ts';
import { ask } from '../../../../src/delegation/resolve/ask.ts';
import { scriptedDns } from './scripted.ts';

describe('ask', () => {
  const zone = { 'CNAME a.test': ['b.test'], 'CNAME b.test': ['c.test'], 'A c.test': ['1.1.1.1'] };

  it.for([
    ['a recursive resolver', true, 1],
    ['a server that leaves CNAME records to the asker', false, 3],
  ] as const)('follows CNAME records with %s', async ([, follows, questions]) => {
    const dns = scriptedDns(zone, follows);
    expect(await ask(dns, 'A.test', 'A')).toMatchObject({ kind: 'records', aliases: ['b.test', 'c.test'] });
    expect(dns.asked).toHaveLength(questions);
  });

  it.for([true, false])('does not run in circles (recursive: %s)', async (follows) => {
    const circle = { 'CNAME a.test': ['b.test'], 'CNAME b.test': ['a.test'] };
    expect(await ask(scriptedDns(circle, follows), 'a.test', 'A')).toMatchObject({ kind: 'failed' });
  });

  it('gives up on a long chain', async () => {
    const chain = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`CNAME n${n}.test`, [`n${n + 1}.test`]]));
    const dns = scriptedDns(chain, false);
    expect(await ask(dns, 'n0.test', 'A')).toMatchObject({ kind: 'failed' });
    expect(dns.asked.length).toBeLessThan(13);
  });

  it('takes no record for another name', async () => {
    const query = () =>
      Promise.resolve({
        rcode: 'NOERROR' as const,
        answers: [{ type: 'A' as const, name: 'evil.test', ttl: 1, address: '6.6.6.6' }],
        authority: [],
        authoritative: false,
        server: '192.0.2.53:53',
      });
    expect(await ask({ query }, 'a.test', 'A')).toMatchObject({ kind: 'absent' });
  });

  it('keeps what to do when our own resolver does not answer', async () => {
    const query = () =>
      Promise.reject(new PorticoError('DNS_TIMEOUT', 'No answer.', { fix: 'Look at your resolver.' }));
    expect(await ask({ query }, 'a.test', 'A')).toEqual({
      kind: 'failed',
      why: 'DNS_TIMEOUT: No answer',
      fix: 'Look at your resolver.',
    });
  });

  it.for(['SERVFAIL', 'REFUSED', 'NOTIMP', 'timeout'] as const)('%s is not "absent"', async (rcode) => {
    expect(await ask(scriptedDns({ 'A a.test': rcode }), 'a.test', 'A')).toMatchObject({ kind: 'failed' });
  });
});
