import { expect, it } from 'vitest';
import { errorInfo, fromErrorInfo, systemCode, TunnelError } from '../../../src/core/errors.ts';

it('crosses a process border as data and comes out the same', () => {
  const error = new TunnelError('ROUTE_BUSY', 'held by another tunnel', {
    data: { label: 'a' },
    cause: new Error('x'),
  });
  const info = JSON.parse(JSON.stringify(errorInfo(error))) as ReturnType<typeof errorInfo>;
  expect(info).toEqual({
    code: 'ROUTE_BUSY',
    message: 'held by another tunnel',
    retryable: true,
    data: { label: 'a' },
  });
  expect(errorInfo(fromErrorInfo(info))).toEqual(info);
});

it('says of each code whether trying again can help, unless told otherwise', () => {
  expect(new TunnelError('UPSTREAM_EXITED', '').retryable).toBe(true);
  expect(new TunnelError('USAGE', '').retryable).toBe(false);
  expect(new TunnelError('USAGE', '', { retryable: true }).retryable).toBe(true);
});

it('turns a foreign error into its message, without a stack', () => {
  expect(errorInfo(new TypeError('odd'))).toEqual({ code: 'INTERNAL', message: 'odd', retryable: false });
  expect(errorInfo('text')).toEqual({ code: 'INTERNAL', message: 'text', retryable: false });
  expect(errorInfo(undefined)).toEqual({ code: 'INTERNAL', message: 'undefined', retryable: false });
});

it('finds the system code of anything thrown', () => {
  expect(systemCode(Object.assign(new Error('no'), { code: 'ENOENT' }))).toBe('ENOENT');
  expect([systemCode(undefined), systemCode('x'), systemCode({ code: 7 })]).toEqual([undefined, undefined, undefined]);
});
