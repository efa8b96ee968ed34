import { readFileSync } from 'node:fs';

/** Portico's own version, from its package.json. */
export function porticoVersion(): string {
  // Two folders up from src/cli and from dist/cli alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
