/** The URI canary through a running Portico: the right answer to its question, and nothing to anybody else. */
import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { readCanaryAnswer, UriCanary } from '../../src/delegation/canary/uri-canary.ts';
import { connectH2 } from '../helpers/h2-client.ts';
import type { RawResponse } from '../helpers/http-response.ts';
import { request, test } from '../helpers/stage.ts';
import type { ClientOptions, Front } from '../helpers/stage.ts';

interface Question {
  readonly target: string;
  readonly method?: string;
  readonly host?: string;
}

/** One request on a connection of its own. */
async function ask(front: Front, question: Question, options: ClientOptions = {}): Promise<RawResponse> {
  const { target, method = 'GET', host = 'example.test' } = question;
  const client = await front.connect(options);
  const length = method === 'GET' ? [] : ['Content-Length: 0'];
  await client.send(request(`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...length));
  return client.readResponse({ method });
}

/** What a stranger could compare: everything but the time. */
function visible({ status, fields, body }: RawResponse) {
  return { status, fields: fields.filter(([name]) => name !== 'date'), body: body.toString('latin1') };
}

/** The same request for a path that nobody ever had a meaning for. */
function plain(target: string): string {
  return target.replace('/_matrix/portico/canary/', '/_matrix/nothing/is_here/');
}

describe('the URI canary', () => {
  test.for(['https', 'federation'] as const)('is answered on %s, and never relayed', async (listener, { stage }) => {
    const front = await stage.front();
    const question = front.portico.app.canaryQuestion();
    const answer = await ask(front, question, { listener });
    expect(answer.status).toBe(200);
    expect(answer.field('content-type')).toBe('application/json');
    expect(answer.field('cache-control')).toBe('no-store');
    expect(readCanaryAnswer(question, answer.json())).toBe(question.target);
    expect(front.backend.executed()).toEqual([]);
  });

  test('is answered on a listener for federation only, and over HTTP/2', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      Object.assign(config.listeners[1] ?? {}, { only: ['federation'] });
    });
    const question = front.portico.app.canaryQuestion();
    const narrow = await ask(front, question, { listener: 'federation' });
    expect(readCanaryAnswer(question, narrow.json())).toBe(question.target);
    const client = await connectH2(front);
    const answer = await client.fetch({ ':path': question.target });
    expect(readCanaryAnswer(question, answer.json())).toBe(question.target);
    expect(front.backend.executed()).toEqual([]);
  });

  test('tells what arrived, not what was sent', async ({ stage }) => {
    const front = await stage.front();
    const question = front.portico.app.canaryQuestion();
    const changed = question.target.replaceAll('%2F', '/').replaceAll('//', '/');
    const answer = await ask(front, { target: changed });
    expect(readCanaryAnswer(question, answer.json())).toBe(changed);
  });

  test('outlives a reload', async ({ stage }) => {
    const front = await stage.front();
    const question = front.portico.app.canaryQuestion();
    await front.portico.reload((config) => {
      config.limits = { max_connections: 500 };
    });
    const answer = await ask(front, question);
    expect(readCanaryAnswer(question, answer.json())).toBe(question.target);
  });

  test('may be asked again for five minutes; after that it is a path like any other', async ({ stage }) => {
    const front = await stage.front();
    const question = front.portico.app.canaryQuestion();
    for (let time = 0; time < 2; time++) {
      const answer = await ask(front, question);
      expect(readCanaryAnswer(question, answer.json())).toBe(question.target);
    }
    front.portico.advance(5 * 60_000 + 1);
    const late = await ask(front, question);
    const other = await ask(front, { target: plain(question.target) });
    expect(visible(late)).toEqual(visible(other));
    expect(front.backend.executed()).toEqual([`GET ${question.target}`, `GET ${plain(question.target)}`]);
  });

  test('tells strangers nothing: what is no question of this process goes where every path goes', async ({ stage }) => {
    const front = await stage.front();
    const { target } = front.portico.app.canaryQuestion();
    const other = new UriCanary({ secret: randomBytes(32), clock: systemClock, random: randomBytes }).question();
    const strangers: readonly Question[] = [
      other,
      { target: target.replace(/-[0-9a-f]{64}/, `-${'0'.repeat(64)}`) },
      { target: '/_matrix/portico/canary/' },
      { target: '/_matrix/portico/canary/x' },
      { target, method: 'POST' },
      { target, method: 'HEAD' },
    ];
    for (const stranger of strangers) {
      const seen = await ask(front, stranger);
      const usual = await ask(front, { ...stranger, target: plain(stranger.target) });
      expect(visible(seen)).toEqual(visible(usual));
    }
    expect(front.backend.executed()).toHaveLength(2 * strangers.length);
  });

  test('is no way around the checks before it', async ({ stage }) => {
    const front = await stage.front();
    const { target } = front.portico.app.canaryQuestion();
    expect((await ask(front, { target, host: 'unknown.test' })).status).toBe(421);
    expect((await ask(front, { target, host: 'other.test' })).status).toBe(421);
    expect((await ask(front, { target }, { listener: 'http' })).status).toBe(308);
    expect(front.backend.executed()).toEqual([]);
  });

  test('is in access log and metrics as a request of federation', async ({ stage }) => {
    const front = await stage.front();
    await ask(front, front.portico.app.canaryQuestion());
    await expect
      .poll(() => front.portico.accessLog)
      .toMatchObject([{ class: 'federation', site: 'example.test', status: 200, upstream: null }]);
  });
});
