import { describe, expect, it } from 'vitest';
import { wellKnownData, type WellKnownInput } from '../../../src/delegation/well-known.ts';

const plain: WellKnownInput = {
  delegation: 'none',
  delegatedName: null,
  clientBaseUrl: 'https://matrix.example.com',
  clientExtra: {},
  support: null,
  policyServer: null,
  maxAgeSeconds: 3600,
};

function parsed(body: string | null): unknown {
  return body === null ? null : JSON.parse(body);
}

describe('wellKnownData', () => {
  it.each([
    ['none', null, null],
    ['srv', null, null],
    ['srv', 'matrix.example.com:443', null],
    ['none', 'matrix.example.com:443', null],
    ['well-known', 'matrix.example.com:443', { 'm.server': 'matrix.example.com:443' }],
    ['well-known', '[2001:db8::1]:8448', { 'm.server': '[2001:db8::1]:8448' }],
  ] as const)('delegation %s with %s: server is %j', (delegation, delegatedName, expected) => {
    expect(parsed(wellKnownData({ ...plain, delegation, delegatedName }).server)).toEqual(expected);
  });

  it.each([
    [{}, { 'm.homeserver': { base_url: 'https://matrix.example.com' } }],
    [
      {
        'org.matrix.msc4143.rtc_foci': [{ type: 'livekit' }],
        'm.identity_server': { base_url: 'https://id.example.com' },
      },
      {
        'm.homeserver': { base_url: 'https://matrix.example.com' },
        'org.matrix.msc4143.rtc_foci': [{ type: 'livekit' }],
        'm.identity_server': { base_url: 'https://id.example.com' },
      },
    ],
    [{ 'm.homeserver': { note: 1 } }, { 'm.homeserver': { base_url: 'https://matrix.example.com', note: 1 } }],
    [{ 'm.homeserver': { base_url: 'https://x.example' } }, { 'm.homeserver': { base_url: 'https://x.example' } }],
    [{ 'm.homeserver': null }, { 'm.homeserver': { base_url: 'https://matrix.example.com' } }],
    [
      JSON.parse('{"__proto__":{"x":1}}') as Record<string, unknown>,
      JSON.parse('{"m.homeserver":{"base_url":"https://matrix.example.com"},"__proto__":{"x":1}}') as unknown,
    ],
  ])('merges %j into client', (clientExtra, expected) => {
    expect(wellKnownData({ ...plain, clientExtra }).client).toBe(JSON.stringify(expected));
  });

  it.each([
    [null, null],
    [{ contacts: [], support_page: 'https://example.com/help' }, { support_page: 'https://example.com/help' }],
    [
      { contacts: [{ role: 'm.role.admin', matrix_id: '@a:example.com', email_address: undefined }] },
      { contacts: [{ role: 'm.role.admin', matrix_id: '@a:example.com' }] },
    ],
  ])('support from %j', (support, expected) => {
    expect(parsed(wellKnownData({ ...plain, support }).support)).toEqual(expected);
  });

  it('renders the keys of a policy server', () => {
    const policyServer = { public_keys: { ed25519: '6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s' } };
    expect(parsed(wellKnownData({ ...plain, policyServer }).policyServer)).toEqual(policyServer);
    expect(wellKnownData(plain).policyServer).toBeNull();
  });

  it('is plain data', () => {
    const data = wellKnownData({ ...plain, delegation: 'well-known', delegatedName: 'a.example' });
    expect(structuredClone(data)).toEqual(data);
    expect(data.maxAgeSeconds).toBe(3600);
  });
});
