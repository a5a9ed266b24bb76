import { expect, it } from 'vitest';
import { ageLabel, stateLabel } from '../../../src/extension/wording.ts';
import { english } from './english.ts';

it('rounds ages to what a person wants to know', () => {
  const ages = [0, 4_999, 12_000, 65_000, 3_700_000, 90_000_000, -5_000];
  expect(ages.map((ageMs) => ageLabel(100_000_000 - ageMs, 100_000_000, english))).toEqual([
    'just now',
    'just now',
    '12s ago',
    '1m ago',
    '1h ago',
    '1d1h ago',
    'just now',
  ]);
});

it('counts attempts only when there was more than one', () => {
  expect(stateLabel({ kind: 'connecting', attempt: 1 }, 0, english)).toBe('connecting');
  expect(stateLabel({ kind: 'connecting', attempt: 4 }, 0, english)).toBe('connecting, attempt 4');
});
