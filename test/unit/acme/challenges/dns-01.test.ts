/** What dns-01 does with its provider, without any network. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { dns01Name, dns01Solver, dns01Value } from '../../../../src/acme/challenges/dns-01.ts';
import type { ChallengeRecord, DnsProvider } from '../../../../src/acme/challenges/dns-provider.ts';
import type { ChallengeTask } from '../../../../src/acme/challenge.ts';
import { PorticoError } from '../../../../src/base/errors.ts';
import type { DnsClient } from '../../../../src/dns/dns-client.ts';

const NOTHING = { rcode: 'NXDOMAIN', answers: [], authority: [], authoritative: true, server: '192.0.2.1:53' } as const;
const resolver: DnsClient = { query: () => Promise.resolve(NOTHING) };

const TASK: ChallengeTask = {
  type: 'dns-01',
  identifier: { type: 'dns', value: 'example.com' },
  wildcard: false,
  token: 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA',
  keyAuthorization: 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI',
  accountUri: 'https://ca.example/acct/1',
  issuerDomainNames: [],
};

/** Keeps what it was asked for; fails where it is told to. */
class FakeProvider implements DnsProvider {
  readonly kind = 'fake';
  readonly calls: [string, ChallengeRecord][] = [];
  failing: Partial<Record<'add' | 'remove', PorticoError>> = {};

  add(record: ChallengeRecord): Promise<void> {
    return this.#call('add', record);
  }

  remove(record: ChallengeRecord): Promise<void> {
    return this.#call('remove', record);
  }

  #call(action: 'add' | 'remove', record: ChallengeRecord): Promise<void> {
    this.calls.push([action, record]);
    const error = this.failing[action];
    return error === undefined ? Promise.resolve() : Promise.reject(error);
  }
}

function solverOf(provider: DnsProvider) {
  // Nobody answers at all, so nothing is ever visible.
  return dns01Solver({ provider, resolver, checkers: [], random: randomBytes, patienceMs: 1, ttl: 33 });
}

const signal = new AbortController().signal;
const RECORD = { name: '_acme-challenge.example.com', value: dns01Value(TASK.keyAuthorization), ttl: 33 };

describe('dns-01', () => {
  it('asks for the name and hash of RFC 8555', () => {
    expect(dns01Name('www.example.org')).toBe('_acme-challenge.www.example.org');
    // printf %s KEYAUTHORIZATION | openssl dgst -sha256 -binary | basenc --base64url
    expect(dns01Value('token.thumbprint')).toBe('61rBZ_4knHblO0MNoxFsXZ_eTFUHum0B6IVRbhvUn5I');
  });

  it('removes the record when it never becomes visible', async () => {
    const provider = new FakeProvider();
    await expect(solverOf(provider).present(TASK, signal)).rejects.toMatchObject({
      code: 'ACME_CHALLENGE_DNS_PROPAGATION',
    });
    expect(provider.calls).toEqual([
      ['add', RECORD],
      ['remove', RECORD],
    ]);
  });

  it('removes it too when making it failed: it may be there all the same', async () => {
    const provider = new FakeProvider();
    provider.failing.add = new PorticoError('DNS_UPDATE_TIMEOUT', 'No answer.', { fix: 'Wait.' });
    await expect(solverOf(provider).present(TASK, signal)).rejects.toMatchObject({
      code: 'ACME_CHALLENGE_DNS_RECORD',
      message: 'The TXT record at _acme-challenge.example.com could not be made: No answer.',
      fix: 'Wait.',
    });
    expect(provider.calls.map(([action]) => action)).toEqual(['add', 'remove']);
  });

  it('says what is left behind when removing fails for another reason', async () => {
    const provider = new FakeProvider();
    provider.failing.remove = new PorticoError('ACME_DNS_EXEC', 'Broken.');
    await expect(solverOf(provider).present(TASK, signal)).rejects.toMatchObject({
      code: 'ACME_CHALLENGE_DNS_PROPAGATION',
      message: expect.stringMatching(/could not be removed again: Broken\.$/),
    });
    await expect(solverOf(provider).cleanUp(TASK)).rejects.toMatchObject({
      code: 'ACME_CHALLENGE_DNS_CLEAN_UP',
      message: expect.stringMatching(/_acme-challenge\.example\.com could not be removed: Broken\.$/),
    });
  });

  it('keeps the key authorization out of what it says', async () => {
    const provider = new FakeProvider();
    const error: unknown = await solverOf(provider)
      .present(TASK, signal)
      .catch((reason: unknown) => reason);
    expect(String(error)).toContain(RECORD.value);
    expect(String(error)).not.toContain(TASK.token);
  });
});
