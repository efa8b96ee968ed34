/**
 * The same signed bytes through Portico and straight to the homeserver get the same answer. A relay that
 * tidies a target up breaks the signature: then one answer is a 401 and the other is not.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRaw } from '../helpers/raw-client.ts';
import type { RawResponse } from '../helpers/http-response.ts';
import { describePeers, printLogsOnFailure } from './harness/describe-peers.ts';
import { fidelityVectors, usualAuthorization } from './harness/fidelity-vectors.ts';
import type { Subject, Vector } from './harness/fidelity-vectors.ts';
import { registerAccount } from './harness/matrix-client.ts';
import { startSites } from './harness/site.ts';
import type { Site, Sites } from './harness/site.ts';
import { startTestOrigin } from './harness/test-origin.ts';
import type { TestOrigin } from './harness/test-origin.ts';
import { parseXMatrix } from '../../src/matrix/x-matrix.ts';

const EVENT_TRIES = 80;

/** Parts of an answer that depend on the moment: the key document is dated and signed anew for each request. */
const MOMENTARY = /"(valid_until_ts|origin_server_ts|age_ts)":\d+|"signatures":\{[^}]*\}\}/g;

/** What of an answer must be the same. */
interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly cors: string[];
  readonly body: string;
}

const answerOf = (response: RawResponse): Answer => ({
  status: response.status,
  type: response.field('content-type'),
  cors: response.values('access-control-allow-origin'),
  body: response.body.toString('latin1').replaceAll(MOMENTARY, '"momentary"'),
});

function bytesOf(vector: Vector, subject: Subject, origin: TestOrigin): Buffer {
  const { method = 'GET', target, content, chunked = false } = vector;
  const signed = parseXMatrix(
    origin.sign({ method, uri: target, destination: subject.destination, ...(content !== undefined && { content }) }),
  );
  if (signed === null) throw new Error('the request was not signed');
  const { key, sig } = signed;
  const parameters = { origin: origin.serverName, destination: subject.destination, key, sig };
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${subject.destination}`,
    'Connection: close',
    ...(vector.authorization ?? usualAuthorization)(parameters),
    ...(vector.fields ?? []),
  ];
  if (content === undefined) return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const body = Buffer.from(vector.body ?? JSON.stringify(content));
  if (!lines.some((line) => line.startsWith('Content-Type:'))) lines.push('Content-Type: application/json');
  if (!chunked) {
    lines.push(`Content-Length: ${body.length}`);
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  }
  lines.push('Transfer-Encoding: chunked');
  const half = body.length >> 1;
  const chunk = (part: Buffer): Buffer[] => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')];
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    ...chunk(body.subarray(0, half)),
    ...chunk(body.subarray(half)),
    Buffer.from('0\r\n\r\n'),
  ]);
}

async function ask(where: Parameters<typeof connectRaw>[0], bytes: Buffer, method: string): Promise<Answer> {
  const client = await connectRaw(where);
  try {
    await client.send(bytes);
    return answerOf(await client.readResponse({ method, timeoutMs: 30_000 }));
  } finally {
    client.destroy();
  }
}

/** Makes the user, the aliases and the event that the vectors name. */
async function createSubject(site: Site, origin: TestOrigin): Promise<Subject> {
  const client = await registerAccount(site.client, 'a/b+c=d.e', randomUUID());
  await client.setDisplayName('Ä/+ 😀');
  const roomId = await client.createRoom({ room_version: '3' });
  const slashAlias = `#a/b+c=d.e%2Ff:${site.serverName}`;
  const unicodeAlias = `#日本-ünïcode-😀:${site.serverName}`;
  await client.setAlias(slashAlias, roomId);
  await client.setAlias(unicodeAlias, roomId);
  let eventId = '';
  for (let i = 0; !(eventId.includes('/') && eventId.includes('+')); i += 1) {
    if (i === EVENT_TRIES) throw new Error(`no event id with / and + among ${EVENT_TRIES}`);
    eventId = await client.send(roomId, `message ${i}`);
  }
  return {
    destination: site.serverName,
    origin: origin.serverName,
    userId: client.userId,
    slashAlias,
    unicodeAlias,
    roomId,
    eventId,
  };
}

/** The names alone; the values are filled in once the homeserver runs. */
const VECTOR_NAMES = fidelityVectors({
  destination: 'localhost:1',
  origin: 'localhost:2',
  userId: '@a:b',
  slashAlias: '#a:b',
  unicodeAlias: '#a:b',
  roomId: '!a:b',
  eventId: '$a',
}).map((vector) => vector.name);

describe.for(['synapse', 'dendrite'] as const)('%s', (kind) => {
  describePeers([kind], 'answers the same through Portico and directly', () => {
    let sites: Sites | undefined;
    let site: Site;
    let origin: TestOrigin;
    let subject: Subject;

    beforeAll(async () => {
      origin = await startTestOrigin();
      sites = await startSites({ kinds: [kind], trustedCas: [origin.ca] });
      site = sites.all[0]!;
      subject = await createSubject(site, origin);
    }, 120_000);
    afterAll(async () => {
      await origin.close();
      await sites?.stop();
    }, 60_000);
    printLogsOnFailure(() => sites);

    const relayed = (): Parameters<typeof connectRaw>[0] => ({
      port: site.federationPort,
      ca: site.client.ca,
      servername: 'localhost',
      alpn: ['http/1.1'],
    });

    it.for(VECTOR_NAMES)('%s', { timeout: 60_000 }, async (name) => {
      const vector = fidelityVectors(subject).find((candidate) => candidate.name === name)!;
      const bytes = bytesOf(vector, subject, origin);
      const method = vector.method ?? 'GET';
      const direct = await ask({ port: site.directPort }, bytes, method);
      expect(await ask(relayed(), bytes, method)).toEqual(direct);
      // Two equal refusals would prove nothing: the signature must have been verified.
      if (vector.refusedBy?.includes(kind) === true) expect([400, 401], direct.body).toContain(direct.status);
      else expect(direct.status, direct.body).not.toBe(401);
    });

    it('answers a changed target with 401 on both ways, so that the comparison can fail', async () => {
      const vector = fidelityVectors(subject).find(({ name: it }) => it === 'user with %2F %2B %3D in the path')!;
      const bytes = Buffer.from(bytesOf(vector, subject, origin).toString('latin1').replace('%2F', '%2f'), 'latin1');
      const direct = await ask({ port: site.directPort }, bytes, 'GET');
      expect(direct.status).toBe(401);
      expect(await ask(relayed(), bytes, 'GET')).toEqual(direct);
    });
  });
});
