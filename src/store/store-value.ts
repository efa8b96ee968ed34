/** The size of values, one limit for all backends: see {@link Store}. */
import { PorticoError } from '../base/errors.ts';

/** Far beyond anything that is kept, and no burden on the memory of any machine. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/** @throws PorticoError `STORE_VALUE_TOO_LARGE` */
export function checkValueSize(key: string, value: Uint8Array | string): void {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
  if (bytes <= MAX_VALUE_BYTES) return;
  throw new PorticoError(
    'STORE_VALUE_TOO_LARGE',
    `The value of ${key} has ${String(bytes)} bytes; the store takes ${String(MAX_VALUE_BYTES)}.`,
  );
}
