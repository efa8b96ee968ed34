/** Names of the many sites that growth is measured with. */

/** Name of the n-th site; with `%d` the pattern that the loader counts through. */
export function siteName(number: number | '%d'): string {
  return `site${String(number)}.bench.test`;
}
