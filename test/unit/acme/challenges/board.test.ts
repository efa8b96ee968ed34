import { describe, expect, it } from 'vitest';
import { ChallengeBoard } from '../../../../src/acme/challenges/board.ts';

const made = (name: string) => ({ certificate: `certificate ${name}`, key: `key ${name}` });

describe('ChallengeBoard', () => {
  it('answers what is up, and nothing else', () => {
    const board = new ChallengeBoard();
    board.putHttp01('token', 'token.print');
    board.putTlsAlpn01('a.example', 'one', made('one'));
    expect(board.http01('token')).toBe('token.print');
    expect(board.tlsAlpn01('a.example')).toEqual(made('one'));
    for (const other of ['', 'Token', 'a.example', '__proto__', 'constructor']) expect(board.http01(other)).toBeNull();
    for (const other of ['', 'A.example', 'token', '__proto__']) expect(board.tlsAlpn01(other)).toBeNull();
    board.removeHttp01('token', 'token.print');
    board.removeTlsAlpn01('a.example', 'one');
    expect(board.http01('token')).toBeNull();
    expect(board.tlsAlpn01('a.example')).toBeNull();
    expect(board.size).toBe(0);
  });

  it('several tasks for one name: the last one answers, and the one before again when that is over', () => {
    const board = new ChallengeBoard();
    board.putTlsAlpn01('a.example', 'one', made('one'));
    board.putTlsAlpn01('a.example', 'two', made('two'));
    board.putTlsAlpn01('a.example', 'three', made('three'));
    expect(board.tlsAlpn01('a.example')).toEqual(made('three'));
    board.removeTlsAlpn01('a.example', 'two');
    expect(board.tlsAlpn01('a.example')).toEqual(made('three'));
    board.removeTlsAlpn01('a.example', 'three');
    expect(board.tlsAlpn01('a.example')).toEqual(made('one'));
  });

  it('the same task of two orders stays up until both are done', () => {
    const board = new ChallengeBoard();
    board.putHttp01('token', 'token.print');
    board.putHttp01('token', 'token.print');
    board.removeHttp01('token', 'token.print');
    expect(board.http01('token')).toBe('token.print');
    board.removeHttp01('token', 'token.print');
    expect(board.http01('token')).toBeNull();
  });

  it('taking away what is not there changes nothing', () => {
    const board = new ChallengeBoard();
    board.putHttp01('token', 'token.print');
    board.removeHttp01('token', 'token.other');
    board.removeHttp01('other', 'other.print');
    board.removeTlsAlpn01('a.example', 'one');
    expect(board.http01('token')).toBe('token.print');
    expect(board.size).toBe(1);
  });

  it('refuses what is beyond its bound, and forgets nothing for it', () => {
    const board = new ChallengeBoard(2);
    board.putHttp01('a', 'a.print');
    board.putTlsAlpn01('a.example', 'one', made('one'));
    expect(() => board.putHttp01('b', 'b.print')).toThrow(
      expect.objectContaining({ code: 'ACME_CHALLENGE_BOARD_FULL' }),
    );
    expect(() => board.putTlsAlpn01('b.example', 'x', made('x'))).toThrow();
    expect(board.http01('a')).toBe('a.print');
    expect(board.tlsAlpn01('a.example')).toEqual(made('one'));
    board.removeHttp01('a', 'a.print');
    board.putHttp01('b', 'b.print');
    expect(board.http01('b')).toBe('b.print');
  });
});
