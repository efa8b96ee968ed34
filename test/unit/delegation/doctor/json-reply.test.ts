import { describe, expect, it } from 'vitest';
import { jsonReply, parsed } from '../../../../src/delegation/doctor/probes/json-reply.ts';

describe('parsed', () => {
  it('reads JSON, and nothing that is nested beyond all sense', () => {
    expect(parsed('{"a":["[[[",{"b":"\\"]"}]}')).toEqual({ a: ['[[[', { b: '"]' }] });
    expect(parsed(`${'['.repeat(100)}${']'.repeat(100)}`)).toBeDefined();
    expect(parsed(`${'['.repeat(101)}${']'.repeat(101)}`)).toBeUndefined();
    expect(parsed('[],'.repeat(200))).toBeUndefined();
    expect(parsed(`[${'[],'.repeat(200)}[]]`)).toBeDefined();
    expect(parsed('<html>')).toBeUndefined();
  });
});

describe('jsonReply', () => {
  it('keeps the beginning of the body for people', () => {
    const body = Buffer.from('x'.repeat(1000));
    const reply = jsonReply({ status: 200, headers: { server: 'a', location: '/b' }, body }, 3);
    expect(reply).toMatchObject({
      status: 200,
      json: undefined,
      server: 'a',
      location: '/b',
      contentType: null,
      ms: 3,
    });
    expect(reply.text).toHaveLength(200);
  });
});
