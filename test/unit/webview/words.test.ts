import { expect, it } from 'vitest';
import { Words } from '../../../src/webview/words.ts';

it('speaks English until the host has sent its words, and where the host has none', () => {
  const words = new Words();
  expect(words.get('calls', 3)).toBe('3 calls');
  words.use({ calls: '{0} Aufrufe' });
  expect(words.get('calls', 3)).toBe('3 Aufrufe');
  expect(words.get('close')).toBe('Close');
});
