import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../../src/policy/refusals.ts';

describe('REFUSALS', () => {
  it.each(Object.entries(REFUSALS))('%s carries its code, an errcode and a sentence', (code, refusal) => {
    expect(refusal.code).toBe(code);
    expect(refusal.status).toBeGreaterThanOrEqual(400);
    expect(refusal.errcode).toMatch(/^M_[A-Z_]+$/);
    expect(refusal.error).toMatch(/^[A-Z].*\.$/);
    expect(Object.isFrozen(refusal)).toBe(true);
  });

  it.each(Object.values(REFUSALS))('$code has the fields its status asks for', (refusal) => {
    // RFC 9110 §15.5.6; Matrix C-S "Rate limiting"; issue: 503 with Retry-After.
    expect(refusal.allow !== undefined).toBe(refusal.status === 405);
    expect(refusal.retryAfterSeconds !== undefined).toBe(refusal.status === 429 || refusal.status === 503);
    if (refusal.status === 429) expect(refusal.errcode).toBe('M_LIMIT_EXCEEDED');
    if (refusal.status === 413) expect(refusal.errcode).toBe('M_TOO_LARGE');
    if (refusal.status === 403) expect(refusal.errcode).toBe('M_FORBIDDEN');
    if (refusal.status === 405 || refusal.status === 421) expect(refusal.errcode).toBe('M_UNRECOGNIZED');
  });

  it('never makes a peer back off for what one request did wrong', () => {
    const backsOff = Object.values(REFUSALS).filter(({ status }) => status === 401 || status === 429 || status >= 500);
    expect(backsOff.map(({ code }) => code).sort()).toEqual([
      'CLASS_CONCURRENCY',
      'INTERNAL',
      'REQUESTS_PER_ADDRESS',
      'UPSTREAM_BUSY',
      'UPSTREAM_INVALID',
      'UPSTREAM_TIMEOUT',
      'UPSTREAM_UNREACHABLE',
    ]);
  });
});
