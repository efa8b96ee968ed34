/** Durations in the config: `30s` in YAML, milliseconds when parsed. */
import { z } from 'zod';
import { DURATION_PATTERN, formatDuration, parseDuration } from '../../base/duration.ts';
import { quote, refuse } from '../refuse.ts';

/** Longest duration taken: timers of 2^31 ms and more fire at once, and 24 days is above every use. */
const MAXIMUM = 24 * 86_400_000;

/** @param minimum - smallest value taken, in milliseconds */
export function duration(minimum = 1) {
  return z
    .string({ error: 'a duration such as 30s' })
    .meta({ pattern: DURATION_PATTERN, 'x-type': 'duration' })
    .transform((value, context) => {
      const milliseconds = parseDuration(value);
      if (milliseconds === null) {
        return refuse(
          context,
          'CONFIG_DURATION',
          `expected a duration such as 30s, got ${quote(value)}`,
          'write a whole number and one of ms, s, m, h, d: 500ms, 30s, 5m, 12h, 1d',
        );
      }
      if (milliseconds >= minimum && milliseconds <= MAXIMUM) return milliseconds;
      const range = `${formatDuration(minimum)} to ${formatDuration(MAXIMUM)}`;
      return refuse(
        context,
        'CONFIG_OUT_OF_RANGE',
        `expected a duration from ${range}, got ${quote(value)}`,
        `choose a value from ${range}`,
      );
    });
}
