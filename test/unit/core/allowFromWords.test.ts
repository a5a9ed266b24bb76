import { expect, it } from 'vitest';
import { allowFromWords } from '../../../src/core/allowFromWords.ts';

it('tells in few words who is let in', () => {
  const networks = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32'];
  expect(allowFromWords(['anthropic'])).toBe('anthropic');
  expect(allowFromWords(['anthropic', 'AS64500', ...networks.slice(1)])).toBe(
    'anthropic, AS64500, 198.51.100.0/24, 203.0.113.0/24 and 2001:db8::/32',
  );
  expect(allowFromWords(['AS64500', ...networks])).toBe('AS64500 and 4 networks');
});
