import { expect, it } from 'vitest';
import { rowHeight, rowWindow, scrollToShow } from '../../../src/webview/rowWindow.ts';

it('draws what is in sight and a few rows beyond, however long the list is', () => {
  const { first, end } = rowWindow(50_000 * rowHeight, 600, 100_000);
  expect(first).toBeLessThanOrEqual(50_000);
  expect(end).toBeGreaterThanOrEqual(50_000 + 600 / rowHeight);
  expect(end - first).toBeLessThan(60);
});

it('stays inside the list', () => {
  expect(rowWindow(0, 600, 3)).toEqual({ first: 0, end: 3 });
  expect(rowWindow(9_999, 600, 0)).toEqual({ first: 0, end: 0 });
});

it('scrolls only as far as a row needs to be seen', () => {
  const height = 10 * rowHeight;
  expect(scrollToShow(5, 0, height)).toBe(0);
  expect(scrollToShow(10, 0, height)).toBe(rowHeight);
  expect(scrollToShow(2, 5 * rowHeight, height)).toBe(2 * rowHeight);
});
