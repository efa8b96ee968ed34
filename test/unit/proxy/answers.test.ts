import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../../src/policy/refusals.ts';
import { answerFor } from '../../../src/proxy/answers.ts';
import { fieldOf } from './router-fixture.ts';

const matrix = { matrix: true, accept: null, requestId: 'abc' };
const browser = { matrix: false, accept: 'text/html,application/xhtml+xml,*/*;q=0.8', requestId: 'abc' };

describe('under /_matrix', () => {
  it.each(Object.values(REFUSALS))('$code is Matrix-shaped with CORS', (refusal) => {
    const { status, fields, body } = answerFor(refusal, { ...matrix, accept: 'text/html' });
    expect(status).toBe(refusal.status);
    expect(JSON.parse(body)).toMatchObject({ errcode: refusal.errcode, error: refusal.error });
    expect(fieldOf(fields, 'Content-Type')).toBe('application/json');
    expect(fieldOf(fields, 'Access-Control-Allow-Origin')).toBe('*');
    expect(fieldOf(fields, 'X-Request-Id')).toBe('abc');
  });

  it('says in 429 when to come back, in both ways', () => {
    const { fields, body } = answerFor(REFUSALS.REQUESTS_PER_ADDRESS, matrix);
    expect(fieldOf(fields, 'Retry-After')).toBe('2');
    expect(JSON.parse(body)).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 2000 });
  });

  it('says in 503 when to come back, by field only', () => {
    const { fields, body } = answerFor(REFUSALS.UPSTREAM_BUSY, matrix);
    expect(fieldOf(fields, 'Retry-After')).toBe('5');
    expect(JSON.parse(body)).not.toHaveProperty('retry_after_ms');
  });

  it('says in 405 what is allowed', () => {
    expect(fieldOf(answerFor(REFUSALS.METHOD_NOT_ALLOWED, matrix).fields, 'Allow')).toBe('GET, HEAD, OPTIONS');
  });
});

describe('elsewhere', () => {
  it('is a page for browsers that loads nothing', () => {
    const { status, fields, body } = answerFor(REFUSALS.UPSTREAM_UNREACHABLE, browser);
    expect(status).toBe(502);
    expect(fieldOf(fields, 'Content-Type')).toBe('text/html; charset=utf-8');
    expect(fieldOf(fields, 'Access-Control-Allow-Origin')).toBeUndefined();
    expect(body).toContain('502 Bad Gateway');
    expect(body).toContain(REFUSALS.UPSTREAM_UNREACHABLE.error);
    expect(body).toContain('abc');
    expect(body).not.toMatch(/https?:|src=|href=|<script/);
    const style = /<style>(.*)<\/style>/.exec(body)?.[1] ?? '';
    const policy = fieldOf(fields, 'Content-Security-Policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  });

  it('escapes what it prints', () => {
    const refusal = { code: 'X', status: 400, errcode: 'M_UNKNOWN', error: '<b>&"' };
    const { body } = answerFor(refusal, { ...browser, requestId: '<script>' });
    expect(body).not.toContain('<b>');
    expect(body).not.toContain('<script>');
  });

  it.each([null, '*/*', 'application/json', 'text/html;q=0', 'text/html; q=0.0, */*'])(
    'is JSON without CORS for Accept %s',
    (accept) => {
      const { fields, body } = answerFor(REFUSALS.HOST_UNKNOWN, { matrix: false, accept, requestId: 'abc' });
      expect(fieldOf(fields, 'Content-Type')).toBe('application/json');
      expect(fieldOf(fields, 'Access-Control-Allow-Origin')).toBeUndefined();
      expect(fieldOf(fields, 'X-Content-Type-Options')).toBe('nosniff');
      expect(JSON.parse(body)).toMatchObject({ errcode: 'M_UNRECOGNIZED' });
    },
  );

  it.each(['text/html', 'TEXT/HTML;q=0.5', 'text/html; q=0.01'])('is a page for Accept %s', (accept) => {
    expect(answerFor(REFUSALS.INTERNAL, { matrix: false, accept, requestId: 'abc' }).body).toMatch(/^<!doctype html>/);
  });
});
