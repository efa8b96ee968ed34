import { describe, expect, it } from 'vitest';
import { createHostTable, parseAuthority } from '../../../src/proxy/hosts.ts';

describe('parseAuthority', () => {
  it.each([
    ['example.com', { host: 'example.com', port: undefined, isIp: false }],
    ['Example.COM:8448', { host: 'example.com', port: '8448', isIp: false }],
    ['example.com.', { host: 'example.com', port: undefined, isIp: false }],
    ['example.com.:443', { host: 'example.com', port: '443', isIp: false }],
    ['localhost', { host: 'localhost', port: undefined, isIp: false }],
    ['synapse_main', { host: 'synapse_main', port: undefined, isIp: false }],
    ['192.0.2.1:80', { host: '192.0.2.1', port: '80', isIp: true }],
    ['[2001:DB8::1]', { host: '[2001:db8::1]', port: undefined, isIp: true }],
    ['[::1]:8448', { host: '[::1]', port: '8448', isIp: true }],
  ])('%s', (text, expected) => {
    expect(parseAuthority(text)).toEqual(expected);
  });

  it.each([
    '', ' ', '.', '..', ':', ':80', 'a:', 'a:b', 'a:80:80', 'a:65536', 'a:999999', 'a..b', '.a', 'a/b', 'a/', 'a\\b', 'a@b', 'user:pw@a', 'a b', ' a', 'a ', 'a#b',
    'a?b', 'a%2eb', 'a,b', 'a;b', 'ä.example', 'a\n', 'a\0', '[::1', '::1', '[::1]x', '[::1]:', '[]', '[a]', '[1.2.3.4]', '[fe80::1%eth0]', '[v1.x]', `${'a.'.repeat(200)}b`,
  ])('refuses %j', (text) => {
    expect(parseAuthority(text)).toBeNull();
  }); // prettier-ignore
});

describe('createHostTable', () => {
  const one = { name: 'one', hosts: ['one.example', 'www.one.example', 'shared.example:8448'] };
  const two = { name: 'two', hosts: ['two.example:8448', '[2001:db8::1]', '192.0.2.7', 'shared.example:9448'] };
  const table = createHostTable([one, two], 'two.example:8448');

  it.each([
    ['one.example', 'one'],
    ['ONE.example.:443', 'one'],
    ['www.one.example:8448', 'one'],
    ['two.example:8448', 'two'],
    ['TWO.example:8448', 'two'],
    ['shared.example:8448', 'one'],
    ['shared.example:9448', 'two'],
    ['[2001:DB8::1]:8448', 'two'],
    ['192.0.2.7:1', 'two'],
  ])('%s leads to site %s', (authority, name) => {
    expect(table.find(authority, false)).toMatchObject({ name });
  });

  it.each([
    ['two.example', 'HOST_UNKNOWN'],
    ['two.example:443', 'HOST_UNKNOWN'],
    ['shared.example', 'HOST_UNKNOWN'],
    ['sub.one.example', 'HOST_UNKNOWN'],
    ['192.0.2.8', 'HOST_UNKNOWN'],
    ['[::1', 'HOST_INVALID'],
    ['one.example/', 'HOST_INVALID'],
    ['one.example:', 'HOST_INVALID'],
    ['one.example:65536', 'HOST_INVALID'],
    ['one.example:4a', 'HOST_INVALID'],
    ['one.example:000443', 'HOST_INVALID'],
    [':443', 'HOST_INVALID'],
    ['constructor', 'HOST_UNKNOWN'],
  ])('%s leads nowhere: %s', (authority, code) => {
    expect(table.find(authority, false)).toMatchObject({ code });
  });

  it('leads IP literals to the default site where that is wanted', () => {
    expect(table.find('192.0.2.8:8448', true)).toBe(two);
    expect(table.find('[::1]:8448', true)).toBe(two);
    expect(table.find('nobody.example', true)).toMatchObject({ code: 'HOST_UNKNOWN' });
  });

  it('falls back to the first site, and does without any', () => {
    expect(createHostTable([one, two], 'nobody.example').find('192.0.2.8', true)).toBe(one);
    expect(createHostTable([], '').find('192.0.2.8', true)).toMatchObject({ code: 'HOST_UNKNOWN' });
  });

  it('knows all sites of a host name, whatever their ports', () => {
    expect(table.sitesOf('shared.example')).toEqual([one, two]);
    expect(table.sitesOf('one.example')).toEqual([one]);
    expect(table.sitesOf('nobody.example')).toEqual([]);
  });
});
