/** Sizes in the config: `50MiB` (or a plain number of bytes) in YAML, bytes when parsed. */
import { z } from 'zod';
import { SIZE_PATTERN, formatSize, parseSize } from '../../base/size.ts';
import { quote, refuse } from '../refuse.ts';

const TERABYTE = 1024 ** 4;

/** @param minimum - smallest value taken, in bytes @param maximum - largest value taken, in bytes */
export function size(minimum = 0, maximum = TERABYTE) {
  return z
    .union([z.string().meta({ pattern: SIZE_PATTERN }), z.int()], { error: 'a size such as 50MiB' })
    .meta({ 'x-type': 'size' })
    .transform((value, context) => {
      const bytes = parseSize(String(value));
      if (bytes === null) {
        return refuse(
          context,
          'CONFIG_SIZE',
          `expected a size such as 50MiB, got ${typeof value === 'string' ? quote(value) : String(value)}`,
          'write a whole number and one of B, KiB, MiB, GiB, kB, MB, GB: 1024, 64KiB, 50MiB',
        );
      }
      if (bytes >= minimum && bytes <= maximum) return bytes;
      const range = `${formatSize(minimum)} to ${formatSize(maximum)}`;
      return refuse(
        context,
        'CONFIG_OUT_OF_RANGE',
        `expected a size from ${range}, got ${String(value)}`,
        `choose a value from ${range}`,
      );
    });
}
