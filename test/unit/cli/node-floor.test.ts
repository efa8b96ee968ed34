import { describe, expect, it } from 'vitest';
import { judgeNode } from '../../../src/cli/node-floor.ts';

describe('judgeNode', () => {
  it.for([
    ['20.19.2', 'refuse'],
    ['22.20.0', 'refuse'],
    ['24.11.1', 'refuse'],
    ['24.12.0', 'warn'],
    ['24.22.0', 'warn'],
    ['24.22.1', 'fine'],
    ['24.23.0', 'fine'],
    ['25.9.0', 'warn'],
    ['26.12.0', 'warn'],
    ['26.12.1', 'fine'],
    ['26.13.0', 'fine'],
    ['27.0.0', 'fine'],
    ['27.0.0-nightly20261101', 'fine'],
  ] as const)('%s: %s', ([version, kind]) => {
    expect(judgeNode(version).kind).toBe(kind);
  });

  it('names the release to install, and why', () => {
    expect(judgeNode('24.21.0')).toMatchObject({
      message: expect.stringMatching(/24\.21\.0.*security fixes of 24\.22\.1/),
      fix: expect.stringContaining('24.22.1'),
    });
    expect(judgeNode('26.10.0')).toMatchObject({ fix: expect.stringContaining('26.12.1') });
    expect(judgeNode('20.19.2')).toMatchObject({ message: expect.stringContaining('24.12.0') });
  });
});
