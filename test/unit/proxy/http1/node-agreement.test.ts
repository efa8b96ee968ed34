/**
 * Portico's parser against Node's (llhttp, strict): whatever Portico accepts and writes anew, Node reads in the same way. All
 * requests of a round share one connection and their bodies look like requests, so that a disagreement over where one ends
 * shows in every one behind it.
 */
import fc from 'fast-check';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RELAYED_METHODS } from '../../../../src/policy/refusals.ts';
import type { Http1RequestHead } from '../../../../src/proxy/http1/head-parser.ts';
import { cutHead, damaged, pairsOf, parseRequest, requestParts, serialised, textOf } from './heads.ts';

/** One request as Node read it. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: [string, string][];
  readonly body: string;
}

const RELAYED: ReadonlySet<string> = new Set(RELAYED_METHODS);
const LIMIT = { maxTargetBytes: 1024, maxFields: 60 };
const LURE = 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

function bodyOf(head: Http1RequestHead): string {
  if (head.bodyLength === -1) return LURE;
  return LURE.padEnd(head.bodyLength, 'x').slice(0, head.bodyLength);
}

function bodyText(head: Http1RequestHead): string {
  const body = bodyOf(head);
  return head.bodyLength === -1 ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
}

describe('what goes upstream', () => {
  let server: Server;
  let seen: Seen[];
  let problems: string[];

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('latin1');
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const { method = '', url: target = '', rawHeaders } = request;
        const fields = rawHeaders.flatMap((name, at): [string, string][] =>
          at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : [],
        );
        seen.push({ method, target, fields, body });
        response.end();
      });
    });
    server.on('clientError', (error: Error, socket) => {
      problems.push(error.message);
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  /** Sends the heads with their bodies over one connection, and waits for its end. */
  async function send(heads: readonly Http1RequestHead[]): Promise<void> {
    seen = [];
    problems = [];
    const { port } = server.address() as AddressInfo;
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', (error) => problems.push(error.message));
      socket.on('close', () => {
        resolve();
      });
      socket.resume();
      socket.write(heads.map((head) => serialised(head) + bodyText(head)).join('') + LAST, 'latin1');
    });
  }

  async function check(texts: readonly string[]): Promise<number> {
    const heads = texts.flatMap((text) => {
      const cut = cutHead(text);
      const head = cut === null ? 'cut' : parseRequest(cut, LIMIT);
      // Other methods and other targets than paths are refused by the router; Node knows few of them, too.
      if (typeof head === 'string' || !head.target.startsWith('/') || !RELAYED.has(head.method)) return [];
      // A switch of protocols is no matter of framing.
      return head.websocket ? [] : [head];
    });
    await send(heads);
    expect(problems).toEqual([]);
    expect(seen.pop()?.target).toBe('/last');
    expect(seen).toEqual(
      heads.map((head) => {
        const own = parseRequest(serialised(head), LIMIT);
        if (typeof own === 'string') throw new Error(own);
        return { method: head.method, target: head.target, fields: pairsOf(own.fields), body: bodyOf(head) };
      }),
    );
    return heads.length;
  }

  const methods = fc.constantFrom(...RELAYED_METHODS);
  const valid = requestParts(methods).map(textOf);

  it('is read by Node as Portico read it', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(valid, { minLength: 10, maxLength: 20 }), async (texts) => {
        compared += await check(texts);
      }),
      { numRuns: 20 },
    );
    expect(compared).toBeGreaterThanOrEqual(200);
  });

  it('is read by Node as Portico read it, when the request was damaged and still accepted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damaged(valid), { minLength: 20, maxLength: 40 }), async (texts) => {
        await check(texts);
      }),
      { numRuns: 20 },
    );
  });
});
