import { expect, it } from 'vitest';
import { reverseName } from '../../../src/base/reverse-name.ts';
import { isDnsName } from '../../../src/base/server-name.ts';

it.for([
  ['192.0.2.1', '1.2.0.192.in-addr.arpa'],
  ['127.0.0.1', '1.0.0.127.in-addr.arpa'],
  ['::1', '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa'],
  // The example of RFC 3596 §2.5.
  ['4321:0:1:2:3:4:567:89ab', 'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa'],
  ['2001:DB8::1', '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
] as const)('%s', ([address, name]) => {
  expect(reverseName(address)).toBe(name);
  // A validator sends it in SNI, where nothing else passes.
  expect(isDnsName(name)).toBe(true);
});
