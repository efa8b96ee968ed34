/** Names for property tests. */
import fc from 'fast-check';

const label = fc
  .array(fc.constantFrom('a', 'b', 'c', 'z', '0', '9', '-', '_', '*'), { minLength: 1, maxLength: 20 })
  .map((characters) => characters.join(''));

/** Any name in Portico's form, the root among them. */
export const dnsName: fc.Arbitrary<string> = fc.array(label, { maxLength: 6 }).map((labels) => labels.join('.'));
