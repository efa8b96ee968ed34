import { describe, expect, it } from 'vitest';
import { findConfigPath } from '../../../src/config/find.ts';
import { fakeFiles } from './fake-files.ts';

const ALL = ['/w/portico.yaml', '/w/config/portico.yaml', '/etc/portico/portico.yaml'];

async function find(present: string[], flag?: string, variable?: string): Promise<string> {
  const files = fakeFiles(Object.fromEntries(present.map((path) => [path, { content: '' }])));
  const result = await findConfigPath({ flag, env: { PORTICO_CONFIG: variable }, cwd: '/w', files });
  return result.ok ? result.path : (result.problems[0]?.code ?? '');
}

describe('findConfigPath', () => {
  it('takes the flag, then the variable, then the places in their order', async () => {
    expect(await find(ALL, 'a.yaml', 'b.yaml')).toBe('/w/a.yaml');
    expect(await find(ALL, undefined, '/b.yaml')).toBe('/b.yaml');
    expect(await find(ALL, undefined, '')).toBe(ALL[0]);
    expect(await find(ALL.slice(1))).toBe(ALL[1]);
    expect(await find(ALL.slice(2))).toBe(ALL[2]);
    expect(await find([])).toBe('CONFIG_NOT_FOUND');
  });

  it('passes over a directory of that name', async () => {
    const files = fakeFiles({ '/w/portico.yaml': { directory: true }, '/w/config/portico.yaml': {} });
    expect(await findConfigPath({ flag: undefined, env: {}, cwd: '/w', files })).toEqual({
      ok: true,
      path: '/w/config/portico.yaml',
    });
  });
});
