/** A file system in memory for the config's tests, with certificates made for the occasion. */
import { randomBytes } from 'node:crypto';
import type { FileFacts, FileReader } from '../../../src/config/file-reader.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';

/** One file or directory. */
interface FakeFile {
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly directory?: boolean;
  /** Node's error code when it is read. */
  readonly refuses?: string;
}

/** The time at which the config's tests take place. */
export const NOW = Date.UTC(2026, 10, 21, 12);
const DAY = 86_400_000;

/** Reads from `files`; everything else does not exist. */
export function fakeFiles(files: Readonly<Record<string, FakeFile>>): FileReader {
  const find = (path: string): FakeFile => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    if (file === undefined) throw failure('ENOENT');
    return file;
  };
  return {
    async read(path) {
      await Promise.resolve();
      const file = find(path);
      if (file.directory === true) throw failure('EISDIR');
      if (file.refuses !== undefined) throw failure(file.refuses);
      return Buffer.from(file.content ?? '');
    },
    async facts(path): Promise<FileFacts> {
      await Promise.resolve();
      const file = find(path);
      const directory = file.directory === true;
      const size = Buffer.byteLength(file.content ?? '');
      return { isFile: !directory, isDirectory: directory, mode: file.mode ?? 0o600, size };
    },
  };
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: of the fake file system`), { code });
}

/** The files that the golden configs name, in /etc/portico. */
export async function goldenFiles(): Promise<Record<string, FakeFile>> {
  const ca = await issueCa('Golden CA', { notBefore: NOW - DAY, notAfter: NOW + DAY }, randomBytes);
  const leaf = (names: string[], from: number, to: number): ReturnType<typeof issueLeaf> =>
    issueLeaf(ca, names, { notBefore: NOW + from * DAY, notAfter: NOW + to * DAY }, randomBytes);
  const good = await leaf(['example.com', 'matrix.example.com', '192.0.2.1'], -10, 80);
  const wild = await leaf(['*.example.com'], -10, 80);
  const old = await leaf(['example.com'], -100, -10);
  const early = await leaf(['example.com'], 10, 100);
  return {
    '/etc/portico/good.pem': { content: good.certificate },
    '/etc/portico/good.key': { content: good.key },
    '/etc/portico/group.key': { content: good.key, mode: 0o640 },
    '/etc/portico/open.key': { content: good.key, mode: 0o644 },
    '/etc/portico/wild.pem': { content: wild.certificate },
    '/etc/portico/wild.key': { content: wild.key },
    '/etc/portico/old.pem': { content: old.certificate },
    '/etc/portico/old.key': { content: old.key },
    '/etc/portico/early.pem': { content: early.certificate },
    '/etc/portico/early.key': { content: early.key },
    '/etc/portico/ca.pem': { content: ca.certificate },
    '/etc/portico/damaged.pem': { content: good.certificate.replace(/[A-Za-z]{8}\n/, '\n') },
    '/etc/portico/locked.pem': { refuses: 'EACCES' },
    '/etc/portico/text.pem': { content: 'not a certificate\n' },
    '/etc/portico/empty.key': { content: '\n' },
    '/etc/portico/tsig.key': { content: 'c2VjcmV0\n' },
    '/etc/portico/www': { directory: true, mode: 0o755 },
    '/srv/www': { directory: true, mode: 0o755 },
  };
}
