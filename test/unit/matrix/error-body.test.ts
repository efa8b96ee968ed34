import { expect, it } from 'vitest';
import { matrixErrorBody } from '../../../src/matrix/error-body.ts';

it('has errcode and error', () => {
  expect(JSON.parse(matrixErrorBody('M_FORBIDDEN', 'not "here"'))).toEqual({
    errcode: 'M_FORBIDDEN',
    error: 'not "here"',
  });
});

it('has retry_after_ms when it is said', () => {
  expect(JSON.parse(matrixErrorBody('M_LIMIT_EXCEEDED', 'slow down', 2000))).toEqual({
    errcode: 'M_LIMIT_EXCEEDED',
    error: 'slow down',
    retry_after_ms: 2000,
  });
});
