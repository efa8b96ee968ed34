/** acme-client stays behind its one adapter, and what it pulls in stays at versions without known advisories. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');

describe('the package acme-client', () => {
  it('is imported by src/acme/client.ts only, and that by nothing on the command line', () => {
    const importers = (pattern: RegExp): string[] =>
      globSync('src/**/*.ts', { cwd: ROOT }).filter((file) => pattern.test(readFileSync(join(ROOT, file), 'utf8')));
    expect(importers(/from '(?:acme-client|axios|node-forge)/)).toEqual([join('src', 'acme', 'client.ts')]);
    expect(importers(/import \{[^}]*\} from '[^']*acme\/client\.ts'/).filter((file) => file.includes('cli'))).toEqual(
      [],
    );
  });

  it('comes with just the pinned axios and node-forge', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>;
    };
    const versions = (name: string): string[] =>
      Object.entries(lock.packages)
        .filter(([path]) => path.endsWith(`node_modules/${name}`))
        .map(([, { version }]) => version);
    const { overrides } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      overrides: Record<string, string>;
    };
    expect(versions('axios')).toEqual([overrides.axios]);
    expect(versions('node-forge')).toEqual([overrides['node-forge']]);
    const [major = 0, minor = 0] = (overrides.axios ?? '').split('.').map(Number);
    expect(major > 1 || minor >= 17).toBe(true);
  });
});
