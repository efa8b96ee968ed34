import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveOwner } from '../../../src/export/owner.ts';

let directory: string;
let files: { passwd: string; group: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-owner-'));
  files = { passwd: join(directory, 'passwd'), group: join(directory, 'group') };
  await writeFile(
    files.passwd,
    '# comment\nroot:x:0:0:root:/root:/bin/sh\nturn:x:107:113::/:/bin/false\n107:x:9:9::/:\n',
  );
  await writeFile(files.group, 'root:x:0:\nssl-cert:x:110:turn\nbroken:x:\n');
});

afterAll(() => rm(directory, { recursive: true }));

describe('resolveOwner', () => {
  it.for([
    ['turn', null, 107, 113],
    ['root', 'ssl-cert', 0, 110],
    ['turn', '0', 107, 0],
    ['5000', null, 5000, 5000],
    ['5000', '6000', 5000, 6000],
    ['0', null, 0, 0],
    // A name that looks like a number is a name, as for chown.
    ['107', null, 9, 9],
  ] as const)('%s:%s is %d:%d', async ([user, group, uid, gid]) => {
    expect(await resolveOwner({ user, group }, files)).toEqual({ uid, gid });
  });

  it.for([
    ['nobody-here', null],
    ['root', 'nobody-here'],
    ['root', 'broken'],
  ] as const)('%s:%s is nobody', async ([user, group]) => {
    await expect(resolveOwner({ user, group }, files)).rejects.toMatchObject({ code: 'EXPORT_OWNER_UNKNOWN' });
  });

  it('takes numbers where nothing can be looked up', async () => {
    const nowhere = { passwd: join(directory, 'none'), group: join(directory, 'none') };
    expect(await resolveOwner({ user: '7', group: '8' }, nowhere)).toEqual({ uid: 7, gid: 8 });
    await expect(resolveOwner({ user: 'root', group: null }, nowhere)).rejects.toMatchObject({
      code: 'EXPORT_OWNER_UNKNOWN',
    });
  });
});
