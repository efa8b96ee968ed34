import { describe, expect, it } from 'vitest';
import { isPrivateAddress, refusePrivate } from '../../../../src/delegation/outbound/private-addresses.ts';

const PRIVATE = [
  [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
  ],
  [
    '192.168.1.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  ],
  ['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::7f00:1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1'],
  ['ff02::1', 'fec0::1', '64:ff9b::7f00:1', '64:ff9b::808:808', '2002:7f00:1::', '2001:db8::1'],
].flat();
const PUBLIC = [
  '1.1.1.1',
  '9.255.255.255',
  '100.63.255.255',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.0.1',
  '223.255.255.255',
].concat(['2606:4700::1', '2a00::1', '::ffff:8.8.8.8', '2001:4860:4860::8888']);

describe('isPrivateAddress', () => {
  it.for(PRIVATE)('%s is', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  it.for(PUBLIC)('%s is not', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });
});

describe('refusePrivate', () => {
  it('refuses unless it is allowed', () => {
    expect(() => refusePrivate('127.0.0.1', false)).toThrow(expect.objectContaining({ code: 'TARGET_PRIVATE' }));
    expect(() => refusePrivate('127.0.0.1', true)).not.toThrow();
    expect(() => refusePrivate('1.1.1.1', false)).not.toThrow();
  });
});
