import { expect, it } from 'vitest';
import { present, type Whole } from '../../../src/core/present.ts';

type Row = { id: string; name?: string; bytes?: number };

it('leaves out what is absent and nothing else', () => {
  const whole: Whole<Row> = { id: '', name: undefined, bytes: 0 };
  const row = present<Row>(whole);
  expect(Object.entries(row)).toEqual([
    ['id', ''],
    ['bytes', 0],
  ]);
});

it('is a copy', () => {
  const whole: Whole<Row> = { id: 'a', name: 'before', bytes: undefined };
  const row = present<Row>(whole);
  whole.name = 'after';
  expect(row.name).toBe('before');
});
