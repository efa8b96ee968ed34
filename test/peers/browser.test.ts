/**
 * What a web client on another origin gets to see, in a real browser: a response without the right CORS
 * fields is a network error to the page, so each body that the page can read is the proof.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser } from './harness/browser.ts';
import type { TestBrowser } from './harness/browser.ts';
import { describePeers, printLogsOnFailure } from './harness/describe-peers.ts';
import { startSites } from './harness/site.ts';
import type { Site, Sites } from './harness/site.ts';

const MAX_BODY = '64KiB';

/** A request as a page makes it; the body is that many bytes. */
interface PageRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly bodyBytes?: number;
}

/** What the page's script saw. */
interface Seen {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

/** Runs `fetch` in the page; rejects, as it does in the page, when the browser withholds the response. */
function fetchIn(page: Page, url: string, request: PageRequest = {}): Promise<Seen> {
  return page.evaluate(
    async ({ target, method = 'GET', headers = {}, bodyBytes }) => {
      const response = await fetch(target, {
        method,
        headers,
        ...(bodyBytes !== undefined && { body: JSON.stringify({ name: 'x'.repeat(bodyBytes) }) }),
      });
      const body: unknown = await response.json();
      return { status: response.status, type: response.headers.get('content-type'), body };
    },
    { target: url, ...request },
  );
}

describePeers(['dendrite', 'chromium'], 'a web page of another origin, in Chromium', () => {
  let sites: Sites | undefined;
  let site: Site;
  /** A second site, whose homeserver gets stopped. */
  let widowed: Site;
  let browser: TestBrowser | undefined;
  let pages: Server;
  let page: Page;

  beforeAll(async () => {
    sites = await startSites({
      kinds: ['dendrite', 'dendrite'],
      config: { limits: { classes: { client: { max_body: MAX_BODY } } } },
    });
    [site, widowed] = [sites.all[0]!, sites.all[1]!];
    pages = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>another origin</title>');
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    browser = await startBrowser(sites.all.map(({ portico }) => portico.ca));
    page = await browser.browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    pages.close();
    pages.closeAllConnections();
    await sites?.stop();
  }, 60_000);
  printLogsOnFailure(() => sites);

  it('reads the discovery document of clients', async () => {
    const seen = await fetchIn(page, `${site.client.base}/.well-known/matrix/client`);
    expect(seen).toMatchObject({ status: 200, body: { 'm.homeserver': { base_url: site.client.base } } });
    expect(seen.type).toMatch(/^application\/json/);
  });

  it('reads the versions of the homeserver, also with a preflight', async () => {
    const url = `${site.client.base}/_matrix/client/versions`;
    expect(await fetchIn(page, url)).toMatchObject({ status: 200, body: { versions: expect.any(Array) as unknown } });
    // Authorization is no simple header: the browser asks with OPTIONS first.
    const headers = { Authorization: 'Bearer nonsense' };
    expect(await fetchIn(page, url, { headers })).toMatchObject({ status: 200 });
  });

  it('sees the body of a 404, of Portico and of the homeserver', async () => {
    expect(await fetchIn(page, `${site.client.base}/.well-known/matrix/support`)).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND', error: expect.any(String) as unknown },
    });
    expect(await fetchIn(page, `${site.client.base}/_matrix/client/v3/nonsense`)).toMatchObject({
      status: 404,
      body: { errcode: 'M_UNRECOGNIZED', error: expect.any(String) as unknown },
    });
  });

  // The larger one is refused long before the browser has sent it all.
  it.for([100_000, 8_000_000])('sees the body of a 413 for %i bytes', async (bodyBytes) => {
    const request = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer nonsense' },
      bodyBytes,
    };
    expect(await fetchIn(page, `${site.client.base}/_matrix/client/v3/user_directory/search`, request)).toMatchObject({
      status: 413,
      body: { errcode: 'M_TOO_LARGE', error: expect.any(String) as unknown },
    });
  });

  it('sees the body of a 502 when the homeserver is gone', async () => {
    const url = `${widowed.client.base}/_matrix/client/versions`;
    expect(await fetchIn(page, url)).toMatchObject({ status: 200 });
    await widowed.homeserver.service.stop();
    expect(await fetchIn(page, url)).toMatchObject({
      status: 502,
      body: { errcode: expect.stringMatching(/^M_/) as unknown, error: expect.any(String) as unknown },
    });
  });

  it('sees nothing of a response without CORS, so that the others prove something', async () => {
    const { port } = pages.address() as AddressInfo;
    await expect(fetchIn(page, `http://localhost:${port}/`)).rejects.toThrow(/Failed to fetch/);
  });

  it('sees nothing at all in a browser that does not trust the CA', async () => {
    const stranger = await startBrowser([]);
    try {
      const tab = await stranger.browser.newPage();
      await expect(tab.goto(`${site.client.base}/_matrix/client/versions`)).rejects.toThrow(
        /ERR_CERT_AUTHORITY_INVALID/,
      );
    } finally {
      await stranger.close();
    }
  });
});
