import { expect, it } from 'vitest';
import { plainItem, plainRow } from '../../../src/extension/plainRow.ts';

const hostile = 'safe\u202egnp.exe\u200b\nsecond';
const shown = 'safe\\u{202e}gnp.exe\\u{200b}\\u{a}second';

it('shows what hides or turns text as its code in every part of a row, and lines in a tooltip alone', () => {
  const row = plainRow({ id: hostile, label: hostile, description: hostile, tooltip: hostile, children: [] });
  expect(row).toEqual({
    id: hostile,
    label: shown,
    description: shown,
    tooltip: 'safe\\u{202e}gnp.exe\\u{200b}\nsecond',
    children: [],
  });
});

it('draws no icon in a pick list but its own', () => {
  expect(plainItem({ label: '$(verified) me', description: '$(x)', detail: hostile }, 'error')).toEqual({
    label: '$(error) \\$(verified) me',
    description: '\\$(x)',
    detail: shown,
  });
  expect(plainItem({ label: 'a' })).toEqual({ label: 'a' });
});
