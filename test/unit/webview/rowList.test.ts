import { expect, it } from 'vitest';
import { RowList } from '../../../src/webview/rowList.ts';
import { row, windowOf } from './rows.ts';

it('holds the lines in sight of a list that may be much longer, by their place in it', () => {
  const list = new RowList();
  list.put(windowOf([row(1), row(2)], { from: 90_000, length: 100_000 }), undefined);
  expect(list.length).toBe(100_000);
  expect(list.line(90_001)).toMatchObject({ row: { id: 'x2' } });
  expect([list.line(89_999), list.line(90_002), list.line(0)]).toEqual([undefined, undefined, undefined]);
  expect(list.indexOf('x2')).toBe(90_001);
});

it('knows where the selected row stands, and its newest change, also out of sight', () => {
  const list = new RowList();
  list.put(windowOf([row(5)], { from: 10, length: 50, selected: { place: 3, seq: 77 } }), 'far');
  expect([list.indexOf('far'), list.seqOf('far')]).toEqual([3, 77]);
  expect([list.indexOf('x5'), list.seqOf('x5')]).toEqual([10, 5]);
  expect([list.indexOf('other'), list.seqOf('other')]).toEqual([-1, undefined]);
  list.put(windowOf([]), 'far');
  expect([list.indexOf('far'), list.seqOf('far')]).toEqual([-1, undefined]);
});

it('says whether what is in sight is held, as far as there is anything', () => {
  const list = new RowList();
  expect(list.covers(0, 30)).toBe(true);
  list.put(windowOf([row(1), row(2), row(3)], { from: 2, length: 5 }), undefined);
  expect(list.covers(2, 30)).toBe(true);
  expect(list.covers(1, 3)).toBe(false);
  list.put(windowOf([row(1)], { from: 2, length: 5 }), undefined);
  expect(list.covers(2, 4)).toBe(false);
});

it('forgets what belongs to another choice', () => {
  const list = new RowList();
  list.put(windowOf([row(1)]), 'x1');
  list.clear();
  expect([list.length, list.line(0), list.indexOf('x1'), list.window.total]).toEqual([0, undefined, -1, 0]);
});
