import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  missingInPersistRecords,
  parsePersistRecord,
  persistRecord,
  persistRecordName,
} from '../../../../src/acme/challenges/persist-record.ts';

const ACCOUNT = 'https://ca.example/acct/123';

describe('records of dns-persist-01', () => {
  it('are written as the draft has them', () => {
    const record = { issuer: 'authority.example', accountUri: ACCOUNT, wildcard: false, persistUntil: null };
    expect(persistRecordName('example.com')).toBe('_validation-persist.example.com');
    expect(persistRecord(record)).toBe(`authority.example; accounturi=${ACCOUNT}`);
    expect(persistRecord({ ...record, wildcard: true, persistUntil: 1767225600 })).toBe(
      `authority.example; accounturi=${ACCOUNT}; policy=wildcard; persistUntil=1767225600`,
    );
  });

  it('are read as they were written', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}(-[a-z0-9]{1,4})?(\.[a-z]{2,6}){1,2}$/);
    const record = fc.record({
      issuer: name,
      accountUri: fc.stringMatching(/^https:\/\/[a-z.]{1,20}\/[!-:<-~]{0,30}$/),
      wildcard: fc.boolean(),
      persistUntil: fc.option(fc.nat()),
    });
    fc.assert(
      fc.property(record, (one) => {
        expect(parsePersistRecord(persistRecord(one))).toEqual(one);
      }),
    );
  });

  it.each([
    ['no blanks', `authority.example;accounturi=${ACCOUNT};policy=wildcard`],
    ['blanks and tabs', ` authority.example ;\taccounturi = ${ACCOUNT} ;  policy=wildcard `],
    ['other cases', `Authority.Example; AccountURI=${ACCOUNT}; POLICY=Wildcard`],
    ['parameters of the future', `authority.example; x-new=1; accounturi=${ACCOUNT}; policy=wildcard; empty=`],
  ])('are read with %s', (_, text) => {
    expect(parsePersistRecord(text)).toEqual({
      issuer: 'authority.example',
      accountUri: ACCOUNT,
      wildcard: true,
      persistUntil: null,
    });
  });

  it.each([
    ['nothing', ''],
    ['no account', 'authority.example'],
    ['an empty account', 'authority.example; accounturi='],
    ['a semicolon at the end', `authority.example; accounturi=${ACCOUNT};`],
    ['two in the middle', `authority.example;; accounturi=${ACCOUNT}`],
    ['a parameter without value', `authority.example; accounturi=${ACCOUNT}; policy`],
    ['a parameter twice', `authority.example; accounturi=${ACCOUNT}; accounturi=${ACCOUNT}`],
    ['a time that is no number', `authority.example; accounturi=${ACCOUNT}; persistUntil=2027-01-01`],
    ['a negative time', `authority.example; accounturi=${ACCOUNT}; persistUntil=-1`],
    ['a blank in a value', `authority.example; accounturi=https://ca.example/a b`],
    ['no domain name', `; accounturi=${ACCOUNT}`],
    ['another kind of record', 'v=spf1 -all'],
  ])('are refused with %s', (_, text) => {
    expect(parsePersistRecord(text)).toBeNull();
  });

  it('of any text are read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const record = parsePersistRecord(text);
        if (record !== null) expect(parsePersistRecord(persistRecord(record))).toEqual(record);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what is missing', () => {
  const need = { issuers: ['ca.example', 'other.example'], accountUri: ACCOUNT, wildcard: false, now: 1000 };
  const good = `other.example; accounturi=${ACCOUNT}`;

  it('is nothing when any record does, whatever stands beside it', () => {
    expect(missingInPersistRecords([good], need)).toBeNull();
    expect(missingInPersistRecords(['junk', `ca.example; accounturi=x`, good], need)).toBeNull();
    expect(missingInPersistRecords([`${good}; persistUntil=1001`], need)).toBeNull();
    expect(missingInPersistRecords([`${good}; policy=wildcard`], { ...need, wildcard: true })).toBeNull();
  });

  it.each([
    ['no record', [], /there is none$/],
    ['only those of others', ['stranger.example; accounturi=x'], /none for ca\.example or other\.example/],
    ['another account', [`ca.example; accounturi=${ACCOUNT}4`], /names another account/],
    ['an account in another case', [`ca.example; accounturi=${ACCOUNT.toUpperCase()}`], /names another account/],
    ['an end that has come', [`${good}; persistUntil=1000`], /ended at 1970-01-01T00:16:40/],
    ['something unreadable', [`${good};`], /not a record of this kind/],
  ])('is said of %s', (_, texts, reason) => {
    expect(missingInPersistRecords(texts, need)).toMatch(reason);
  });

  it('is policy=wildcard for a wildcard', () => {
    expect(missingInPersistRecords([`${good}; policy=other`], { ...need, wildcard: true })).toMatch(
      /lacks policy=wildcard/,
    );
  });
});
