import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createForwarding, isClientForwardingField } from '../../../src/proxy/forwarding.ts';

describe('isClientForwardingField', () => {
  it.each([
    'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-anything', 'x-forwarded', 'forwarded', 'x-real-ip',
    'x-request-id', 'x-client-ip', 'client-ip', 'true-client-ip', 'cf-connecting-ip', 'x-original-url', 'x-original-host', 'x-original-forwarded-for', 'x-rewrite-url', 'x-host',
    'x-cluster-client-ip', 'fastly-client-ip', 'front-end-https', 'x-ssl-client-verify', 'ssl-client-cert', 'remote-user', 'proxy',
    'x_forwarded_for', 'x_real_ip', 'x-forwarded_for', 'x_request_id', 'content_length', 'transfer_encoding', 'authorization_', '_', 'any_thing',
  ])('%s may not come from a client', (name) => {
    expect(isClientForwardingField(name)).toBe(true);
  }); // prettier-ignore

  it.each([
    'host', 'authorization', 'content-type', 'content-length', 'accept', 'user-agent', 'cookie', 'origin', 'range', 'via', 'if-match', 'x-requested-with', 'x-matrix', 'forwardedx',
    'x-forward', 'traceparent', 'date', 'synapse-trace-id', 'proxy-authorization', 'constructor', '__proto__'.replaceAll('_', '-'),
  ])('%s passes', (name) => {
    expect(isClientForwardingField(name)).toBe(false);
  }); // prettier-ignore
});

describe('an untrusted peer', () => {
  const forwarding = createForwarding(['10.0.0.0/8']);

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('%s is the client whatever it says: %s', (peer, expected) => {
    const { trusted, clientAddress, forwardedFor } = forwarding.forConnection(peer);
    expect(trusted).toBe(false);
    for (const values of [[], ['203.0.113.9'], ['10.0.0.1, 10.0.0.2'], ['10.0.0.1', '127.0.0.1']]) {
      expect(clientAddress(values)).toBe(expected);
      expect(forwardedFor(values)).toBe(expected);
    }
  });

  it('is every peer when no proxy is trusted', () => {
    expect(createForwarding([]).forConnection('127.0.0.1').forwardedFor(['203.0.113.9'])).toBe('127.0.0.1');
  });
});

describe('a trusted peer', () => {
  const forwarding = createForwarding(['10.0.0.0/8', '2001:db8:1::/48']).forConnection('::ffff:10.0.0.1');

  it.each([
    [[], '10.0.0.1', '10.0.0.1'],
    [['192.0.2.1'], '192.0.2.1', '192.0.2.1, 10.0.0.1'],
    [['203.0.113.9, 192.0.2.1'], '192.0.2.1', '192.0.2.1, 10.0.0.1'],
    [['203.0.113.9', '192.0.2.1'], '192.0.2.1', '192.0.2.1, 10.0.0.1'],
    [['192.0.2.1, 10.0.0.3,10.0.0.2'], '192.0.2.1', '192.0.2.1, 10.0.0.3, 10.0.0.2, 10.0.0.1'],
    [['10.9.9.9, 192.0.2.1, 10.0.0.2'], '192.0.2.1', '192.0.2.1, 10.0.0.2, 10.0.0.1'],
    [['10.0.0.3, 10.0.0.2'], '10.0.0.3', '10.0.0.3, 10.0.0.2, 10.0.0.1'],
    [['::ffff:192.0.2.1'], '192.0.2.1', '192.0.2.1, 10.0.0.1'],
    [['192.0.2.1:51234'], '192.0.2.1', '192.0.2.1, 10.0.0.1'],
    [['[2001:db8::1]:51234, 2001:db8:1::5'], '2001:db8::1', '2001:db8::1, 2001:db8:1::5, 10.0.0.1'],
    [['192.0.2.1, unknown, 10.0.0.2'], '10.0.0.2', '10.0.0.2, 10.0.0.1'],
    [['192.0.2.1, '], '10.0.0.1', '10.0.0.1'],
    [[''], '10.0.0.1', '10.0.0.1'],
    [['_hidden'], '10.0.0.1', '10.0.0.1'],
    [['192.0.2.1\r\nX: y'], '10.0.0.1', '10.0.0.1'],
    [['[::1'], '10.0.0.1', '10.0.0.1'],
  ])('%j: client %s, chain %s', (values, client, chain) => {
    expect(forwarding.trusted).toBe(true);
    expect(forwarding.clientAddress(values)).toBe(client);
    expect(forwarding.forwardedFor(values)).toBe(chain);
  });

  it('is believed for a bounded number of proxies', () => {
    const chain = forwarding.forwardedFor([`192.0.2.1,${'10.0.0.9,'.repeat(1000)}10.0.0.2`]);
    expect(chain.split(', ')).toHaveLength(17);
    expect(chain).not.toContain('192.0.2.1');
  });

  it('never takes part of an address for one where the text is cut', () => {
    // The last 1024 characters begin within 192.0.2.1, after its "19".
    const tail = `2.0.2.1${','.padEnd(1024 - '2.0.2.1'.length - '10.0.0.2'.length, ' ')}10.0.0.2`;
    expect(forwarding.clientAddress([`19${tail}`])).toBe('10.0.0.2');
  });

  it('always gives addresses, the client first and the peer last', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 5 }), (values) => {
        const chain = forwarding.forwardedFor(values).split(', ');
        expect(chain.at(-1)).toBe('10.0.0.1');
        expect(chain[0]).toBe(forwarding.clientAddress(values));
        for (const address of chain) expect(address).toMatch(/^[0-9a-f.:]+$/i);
      }),
    );
  });
});
