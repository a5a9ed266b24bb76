import { expect, it } from 'vitest';
import { isInside } from '../../../src/discovery/isInside.ts';

it.each([
  ['/work', '/work', true],
  ['/work/a', '/work', true],
  ['/work/..a', '/work', true],
  ['/work/../b', '/work', false],
  ['/', '/work', false],
  ['/workshop', '/work', false],
])('%s is in %s: %s', (path, folder, expected) => {
  expect(isInside(path, folder)).toBe(expected);
});
