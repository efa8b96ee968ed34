import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AcmeProblem, readProblem } from '../../../src/acme/problem.ts';
import { PorticoError } from '../../../src/base/errors.ts';

const CONTEXT = { status: 403, retryAfterMs: null };
const URN = 'urn:ietf:params:acme:error:';

describe('a problem document', () => {
  it('is kept whole, in the words of the authority', () => {
    const problem = readProblem(
      {
        type: `${URN}compound`,
        detail: 'Some of the identifiers requested were rejected',
        instance: 'https://ca.example/help',
        subproblems: [
          { type: `${URN}caa`, detail: 'CAA forbids', identifier: { type: 'dns', value: 'a.example' } },
          { type: `${URN}rejectedIdentifier`, detail: 'never', identifier: { type: 'dns', value: 'b.example' } },
        ],
      },
      { status: 403, retryAfterMs: 5000 },
    );
    expect(problem).toBeInstanceOf(PorticoError);
    expect(problem).toMatchObject({
      code: 'ACME_PROBLEM',
      type: 'compound',
      status: 403,
      detail: 'Some of the identifiers requested were rejected',
      retryAfterMs: 5000,
      identifier: null,
      instance: 'https://ca.example/help',
      subproblems: [
        { type: 'caa', detail: 'CAA forbids', identifier: { type: 'dns', value: 'a.example' } },
        { type: 'rejectedIdentifier', detail: 'never', identifier: { type: 'dns', value: 'b.example' } },
      ],
    });
    expect(problem.message).toContain('Some of the identifiers requested were rejected');
    expect(problem.fix).toMatch(/CAA record.*Use another authority.*https:\/\/ca\.example\/help/s);
  });

  it('about one identifier names it', () => {
    const subproblems = [{ type: `${URN}dns`, detail: 'SERVFAIL', identifier: { type: 'dns', value: 'a.example' } }];
    const problem = readProblem({ type: `${URN}dns`, detail: 'look-up failed', subproblems }, CONTEXT);
    expect(problem.identifier).toEqual({ type: 'dns', value: 'a.example' });
    expect(problem.message).toContain('for a.example');
  });

  it.each([
    ['rateLimited', /^Wait/],
    ['dns', /keeps the domain's DNS/],
    ['caa', /CAA/],
    ['connection', /port 80/],
    ['unauthorized', /A and AAAA/],
    ['rejectedIdentifier', /another authority/],
    ['badNonce', /tries again/],
    ['externalAccountRequired', /acme\.eab/],
    ['accountDoesNotExist', /new account/],
    ['userActionRequired', /A person must/],
    ['alreadyReplaced', /renewed already/],
    ['invalidProfile', /acme\.profile/],
    ['somethingNew', /what the authority says/],
    ['constructor', /what the authority says/],
  ])('of type %s says who must change what', (type, fix) => {
    expect(readProblem({ type: URN + type, detail: 'no' }, { status: 0, retryAfterMs: null }).fix).toMatch(fix);
  });

  it('of an account that is refused is not about A and AAAA', () => {
    expect(readProblem({ type: `${URN}unauthorized`, detail: 'deactivated' }, CONTEXT).fix).toContain('account.json');
  });

  it('that pauses a name sends a person to the link', () => {
    const detail =
      'Your account is temporarily prevented from requesting certificates for a.example; the name is paused. Visit https://…';
    expect(readProblem({ type: `${URN}rateLimited`, detail }, CONTEXT).fix).toContain('follow the link');
  });

  it('bounds the wait to seven days, and keeps text to one line and to a thousand characters', () => {
    const problem = readProblem(
      { type: 'x\n\u001b[31m', detail: `a\r\nb${'c'.repeat(5000)}` },
      { status: 429, retryAfterMs: 1e15 },
    );
    expect(problem.retryAfterMs).toBe(7 * 24 * 3_600_000);
    expect(problem.type).toBe('x [31m');
    expect(problem.detail).toMatch(/^a bc+$/);
    expect(problem.detail).toHaveLength(1000);
  });

  it('can be read from anything', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        const problem = readProblem(body, CONTEXT);
        return problem instanceof AcmeProblem && problem.detail.length > 0 && problem.type.length > 0;
      }),
    );
  });
});
