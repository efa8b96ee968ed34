import { describe, expect, it } from 'vitest';
import { createRememberingClient } from '../../../src/dns/remembering-client.ts';
import { scriptedDns } from '../delegation/resolve/scripted.ts';

describe('createRememberingClient', () => {
  it('asks each question once, whatever the answer', async () => {
    const dns = scriptedDns({ 'A a.test': ['1.1.1.1'], 'A b.test': 'timeout' });
    const client = createRememberingClient(dns);
    const [first, second] = await Promise.all([client.query('a.test', 'A'), client.query('A.TEST', 'A')]);
    expect(second).toBe(first);
    await client.query('a.test', 'AAAA');
    for (let n = 0; n < 2; n++)
      await expect(client.query('b.test', 'A')).rejects.toMatchObject({ code: 'DNS_TIMEOUT' });
    expect(dns.asked).toEqual(['A a.test', 'AAAA a.test', 'A b.test']);
  });
});
