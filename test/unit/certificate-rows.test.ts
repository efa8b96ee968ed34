import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/base/certificate.ts';
import { PorticoError } from '../../src/base/errors.ts';
import { certificateRow, certificatesAtRest, problemRow } from '../../src/certificate-rows.ts';
import type { Config } from '../../src/config/index.ts';
import { loadConfigText } from '../../src/config/load.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { LocalCa } from '../../src/tls/local-ca.ts';
import { issueCa, issueLeaf } from '../../src/tls/issue.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 28, 12);
const clock = { now: () => NOW, monotonic: () => NOW };

async function issue(names: string[], days: number) {
  const ca = await issueCa('Test CA', { notBefore: NOW - DAY, notAfter: NOW + 1000 * DAY }, randomBytes);
  const leaf = await issueLeaf(ca, names, { notBefore: NOW - DAY, notAfter: NOW + days * DAY }, randomBytes);
  return parseCertificate(leaf.certificate + ca.certificate, leaf.key, 'files');
}

describe('certificateRow', () => {
  it('tells dates, issuer and days, rounded down', async () => {
    const certificate = await issue(['a.example', 'b.example'], 10);
    expect(certificateRow(certificate, NOW, null)).toMatchObject({
      names: ['a.example', 'b.example'],
      source: 'files',
      issuer: expect.stringMatching(/^Test CA [0-9a-f]{8}$/),
      not_after: '2026-12-08T12:00:00.000Z',
      days_left: 10,
      next_renewal: null,
      last_problem: null,
    });
    expect(certificateRow(certificate, NOW + 1, null).days_left).toBe(9);
    expect(certificateRow(certificate, NOW + 10 * DAY + 1, null).days_left).toBe(-1);
  });

  it('says when the local CA will renew, and takes what ACME knows', async () => {
    const certificate = await issue(['a.example'], 89);
    const local = certificateRow({ ...certificate, source: 'local_ca' }, NOW, null);
    expect(local.next_renewal).toBe('2027-01-26T12:00:00.000Z');
    const facts = { profile: 'shortlived', next_renewal: '2027-01-01T00:00:00.000Z', reason: 'window' };
    expect(certificateRow({ ...certificate, source: 'acme' }, NOW, null, facts)).toMatchObject(facts);
  });

  it('carries the last problem', async () => {
    const problem = problemRow(new PorticoError('CERT_EXPIRED', 'late', { fix: 'renew' }), NOW);
    expect(problem).toEqual({ code: 'CERT_EXPIRED', message: 'late', fix: 'renew', at: '2026-11-28T12:00:00.000Z' });
    expect(certificateRow(await issue(['a.example'], 1), NOW, problem).last_problem).toEqual(problem);
  });
});

describe('certificatesAtRest', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'portico-rows-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function config(): Promise<Config> {
    const good = await issue(['files.example'], 30);
    await writeFile(join(directory, 'chain.pem'), good.chain);
    await writeFile(join(directory, 'key.pem'), good.key, { mode: 0o600 });
    const result = await loadConfigText(
      `sites:
  - {server_name: files.example, homeserver: "http://127.0.0.1:1"}
  - {server_name: local.example, homeserver: "http://127.0.0.1:1"}
  - {server_name: acme.example, homeserver: "http://127.0.0.1:1"}
certificates:
  - {names: [files.example], files: {chain: chain.pem, key: key.pem}}
  - {names: [local.example, "*.local.example"], local_ca: true}
acme: {agree_to_terms: true}
`,
      { file: join(directory, 'portico.yaml'), env: {} },
    );
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result.config;
  }

  it('finds files and leaves of the local CA, names what it cannot know, and makes nothing', async () => {
    const store = new MemoryStore();
    await store.lock();
    const ca = await LocalCa.open({ store, clock, random: randomBytes });
    await ca.leafFor('local.example');
    const before = await store.list('');
    const rows = await certificatesAtRest(await config(), store, NOW);
    expect(rows.map(({ names, source, days_left: days, reason }) => [names, source, days, reason])).toEqual([
      [['files.example'], 'files', 30, expect.stringContaining('whoever writes')],
      [['local.example'], 'local_ca', 89, expect.stringContaining('third')],
      [['*.local.example'], 'local_ca', null, 'made at the next start'],
      [['acme.example'], 'acme', null, expect.stringContaining('running process')],
    ]);
    expect(await store.list('')).toEqual(before);
  });

  it('a file that is missing or damaged is a row with its problem', async () => {
    const loaded = await config();
    const store = new MemoryStore();
    await writeFile(join(directory, 'chain.pem'), 'nonsense');
    const [damaged] = await certificatesAtRest(loaded, store, NOW);
    expect(damaged).toMatchObject({ names: ['files.example'], days_left: null });
    await rm(join(directory, 'chain.pem'));
    const [missing] = await certificatesAtRest(loaded, store, NOW);
    expect(missing?.last_problem).toMatchObject({
      code: 'CERT_FILE_UNREADABLE',
      message: expect.stringContaining('there is no such file'),
    });
  });
});
