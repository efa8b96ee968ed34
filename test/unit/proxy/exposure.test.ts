import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liesBelow, readPath, zoneOf, type Zone } from '../../../src/proxy/exposure.ts';

function verdict(path: string): string {
  const reading = readPath(path);
  return reading.ambiguous ? 'ambiguous' : reading.zone;
}

describe('readPath', () => {
  it.each([
    ['/', 'site'],
    ['/index.html', 'site'],
    ['/a/../b', 'site'],
    ['/a%20b;v=1//c', 'site'],
    ['/files/_synapse', 'site'],
    ['/_matrix', 'matrix'],
    ['/_matrix/', 'matrix'],
    ['/_matrixx/', 'site'],
    ['/_matrix/client/versions', 'matrix'],
    ['/_matrix/client/v3/rooms/!a%3Ab/send/m.room.message/%24x%2Fy%2B', 'matrix'],
    ['/_matrix//federation', 'matrix'],
    ['/_matrix/federation/v1/x/%2e%2e/y', 'matrix'],
    ['/_matrix/media/v3/download/a/..%2Fb', 'matrix'],
    ['/_matrix/media/v3/download/a/%252e%252e/b', 'matrix'],
    ['/_matrix/client/v3/profile/@a;b:example.com', 'matrix'],
    ['/_matrix/client/v3/profile/@a%5Cb:example.com', 'matrix'],
    ['/_matrix/client/v3/profile/@%E0%A4%85:example.com/..', 'matrix'],
    ['/_matrix/client/v3/%zz', 'matrix'],
    ['/_synapse/client/pick_idp', 'synapse-client'],
    ['/_synapse/client/x%2Fy', 'synapse-client'],
    ['/.well-known/matrix/server', 'well-known'],
    ['/.well-known/other', 'site'],
    ['/_synapse', 'closed'],
    ['/_synapse/', 'closed'],
    ['/_synapse/admin/v1/x', 'closed'],
    ['/_SYNAPSE/admin', 'closed'],
    ['/_Dendrite/monitor/health', 'closed'],
    ['/_synapse/Client/x', 'closed'],
    ['/_synapse/client', 'synapse-client'],
    ['/.well-known/matrix', 'well-known'],
    ['/_synapse/client2/x', 'closed'],
    ['/_synapsed', 'site'],
  ])('%s is %s', (path, expected) => {
    expect(verdict(path)).toBe(expected);
  });

  it.each([
    '/_matrix/../_synapse/admin/v1/x',
    '/_matrix/..',
    '/_matrix/../health',
    '/_matrix/%2e%2e/_synapse/admin',
    '/_matrix/.%2E/_synapse/admin',
    '/_matrix/%252e%252e/_synapse/admin',
    '/_matrix/%25252e%25252e/_synapse/admin',
    '/_matrix/%%32e%%32e/_synapse/admin',
    '/_matrix/%c0%ae%c0%ae/_synapse/admin',
    '/_matrix/%e0%80%ae%e0%80%ae/_synapse/admin',
    '/_matrix/%f0%80%80%ae./_synapse/admin',
    '/_matrix/%u002e%u002e/_synapse/admin',
    '/_matrix/.%09./_synapse/admin',
    '/_matrix/..;/_synapse/admin',
    '/_matrix/..;a=b/_synapse/admin',
    '/_matrix/..%3b/_synapse/admin',
    '/_matrix/..%23/_synapse/admin',
    '/_matrix/..%3f/_synapse/admin',
    '/_matrix/..\\_synapse',
    '/_matrix/..%5c_synapse',
    '/_matrix/..%2f_synapse/admin',
    '/_matrix//../_synapse/admin',
    '/_matrix/./../_synapse/admin',
    '/_matrix/%2e/../_synapse/admin',
    '/_matrix/;x/../../_synapse/admin',
    '/_matrix/;%2fa/../_synapse/admin',
    '/_matrix/a/../../_synapse/admin',
    '/_matrix/a%2fb%2fc/../../_synapse/admin',
    '/_matrix/a%252fb%252fc%2f..%2f..%2f_synapse/admin',
    '/_matrix/a/..%2f..%2f_synapse%2fadmin',
    '/_synapse/client/../admin/v1/users',
    '/_synapse/client/%2e%2e/admin',
    '/_synapse/client/x/..%2f..%2fadmin',
    '/.well-known/../_synapse/admin',
    '/.well-known/matrix/../../_synapse/admin',
    '//_synapse/admin',
    '//host/_synapse/admin',
    '/\\host/_synapse/admin',
    '/%2f/_synapse/admin',
    '/./_synapse/admin',
    '/x/../_synapse/admin',
    '/x%2f..%2f_synapse/admin',
    '/%5fsynapse/admin',
    '/%5FSYNAPSE/admin',
    '/%255fsynapse/admin',
    '/%c1%9fsynapse/admin',
    '/_syn%61pse/admin',
    '/_synapse%2fadmin',
    '/_synapse;x/admin',
    '/_synapse\\admin',
    '/_dendrite%2fmonitor',
    '//_matrix/client/versions',
    '/_matrix;x/client/versions',
    '/%2ewell-known/matrix/server',
    '/%25252525252525252525252e',
  ])('refuses %s', (path) => {
    expect(verdict(path)).toBe('ambiguous');
  });

  it('agrees with zoneOf on the zone', () => {
    for (const path of ['/_matrix/../x', '/_synapse/client/../x', '/x//y', '/_dendrite/..']) {
      expect(readPath(path).zone).toBe(zoneOf(path));
    }
  });
});

describe('liesBelow', () => {
  it.each([
    ['/_synapse/admin', '/_synapse/admin', 'yes'],
    ['/_synapse/admin/v1/users/@a%2Fb:c', '/_synapse/admin', 'yes'],
    ['/_synapse/admins', '/_synapse/admin', 'no'],
    ['/_synapse/replication', '/_synapse/admin', 'no'],
    ['/_SYNAPSE/admin', '/_synapse/admin', 'no'],
    ['/_synapse/admin/../replication/x', '/_synapse/admin', 'differs'],
    ['/_synapse/admin/..%2freplication', '/_synapse/admin', 'differs'],
    ['/_synapse/admin%2f..%2freplication', '/_synapse/admin', 'no'],
    ['/_synapse/admin/v1/../v2/users', '/_synapse/admin', 'yes'],
    ['/health', '/health', 'yes'],
    ['/health/../metrics', '/health', 'differs'],
    ['/anything', '', 'yes'],
  ])('%s below %s: %s', (path, prefix, expected) => {
    expect(liesBelow(path, readPath(path), prefix)).toBe(expected);
  });
});

/** Everything a backend might do to a path before it looks at it, one step each. */
const STEPS: readonly ((path: string) => string)[] = [
  (path) => path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/\/{2,}/g, '/'),
  (path) => posix.normalize(path),
  (path) => path.replace(/[?#].*$/, ''),
  (path) => {
    // An authority out of `//x` is part of how the URL standard reads a path.
    if (!URL.canParse(path, 'http://host.invalid')) return path;
    return new URL(path, 'http://host.invalid').pathname;
  },
  (path) => new URL(`http://host.invalid${path.startsWith('/') ? '' : '/'}${path}`).pathname,
];

/** All paths that up to `rounds` steps in any order can make of one. */
function allReadings(path: string, rounds: number): Set<string> {
  const seen = new Set([path]);
  let latest = [path];
  for (let round = 0; round < rounds && seen.size < 3000; round += 1) {
    const next: string[] = [];
    for (const from of latest) {
      for (const step of STEPS) {
        const reading = step(from);
        if (!seen.has(reading)) {
          seen.add(reading);
          next.push(reading);
        }
      }
    }
    latest = next;
  }
  return seen;
}

const HOSTILE_PIECES = [
  '/', '/', '/', '//', '\\', '%2f', '%5c', '%252f', '..', '..', '.', '%2e', '%2e%2e', '%252e', '.%2e', ';', ';x', '..;', '%3b', '%3f', '%23',
  '_matrix', '_matrix', '_synapse', '_synapse', '%5fsynapse', '_SYNAPSE', 'client', 'admin', '_dendrite', '.well-known', 'matrix', 'server', 'a', 'b', '%25',
]; // prettier-ignore

const hostilePath = fc
  .tuple(
    fc.constantFrom('/', '/', '/_matrix/', '/_synapse/client/', '/.well-known/matrix/', '//', '/x/'),
    fc.array(fc.constantFrom(...HOSTILE_PIECES), { maxLength: 9 }),
  )
  .map(([start, pieces]) => start + pieces.join(''));

describe('every way of reading a path that passed', () => {
  it('stays in the zone that let it pass', () => {
    const run = fc.check(
      fc.property(hostilePath, (path) => {
        const { zone, ambiguous } = readPath(path);
        fc.pre(!ambiguous && zone !== 'closed');
        for (const reading of allReadings(path, 5)) {
          const reached: Zone = zoneOf(reading);
          if (reached !== zone) throw new Error(`${path} (${zone}) can be read as ${reading} (${reached})`);
        }
      }),
      { numRuns: 5000, maxSkipsPerRun: 50 },
    );
    expect(run.failed ? fc.defaultReportMessage(run) : 'ok').toBe('ok');
  });

  it('is not so strict that honest paths suffer: identifiers with any escapes stay inside /_matrix', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        (parts) => {
          fc.pre(!parts.some((part) => part.includes('..') || part.includes('%')));
          const path = `/_matrix/client/v3/rooms/${parts.map(safeEncode).join('/')}`;
          expect(readPath(path)).toMatchObject({ zone: 'matrix', ambiguous: false });
        },
      ),
      { numRuns: 500 },
    );
  });
});

function safeEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
