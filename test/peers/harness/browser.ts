/**
 * Headless Chromium that verifies certificates: the CA is put among those its user trusts (the NSS database in a home
 * directory of its own), so no check is switched off.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { readPeerState } from '../install/peer.ts';

const CERTUTIL_LIMIT_MS = 30_000;
const START_LIMIT_MS = 60_000;

/** Nothing but what the test asks for: no sandbox (root has none), no QUIC, no calls home. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-domain-reliability',
  '--disable-dev-shm-usage',
];

/** A running browser. */
export interface TestBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Starts one that trusts these authorities (PEM) besides its own. */
export async function startBrowser(trustedCas: readonly string[]): Promise<TestBrowser> {
  const state = readPeerState('chromium');
  if (state.state === 'missing') throw new Error(`no Chromium: ${state.why}`);
  const home = mkdtempSync(join(tmpdir(), 'portico-browser-'));
  try {
    const database = join(home, '.pki', 'nssdb');
    mkdirSync(database, { recursive: true });
    const certutil = (...args: string[]): Promise<unknown> =>
      promisify(execFile)('certutil', ['-d', `sql:${database}`, ...args], { timeout: CERTUTIL_LIMIT_MS });
    await certutil('-N', '--empty-password');
    for (const [i, pem] of trustedCas.entries()) {
      const file = join(home, `ca-${i}.pem`);
      writeFileSync(file, pem);
      await certutil('-A', '-n', `test CA ${i}`, '-t', 'C,,', '-i', file);
    }
    const browser = await chromium.launch({
      executablePath: state.path,
      args: ARGUMENTS,
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_CACHE_HOME: join(home, '.cache') },
      timeout: START_LIMIT_MS,
    });
    return {
      browser,
      close: async () => {
        await browser.close();
        rmSync(home, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}
