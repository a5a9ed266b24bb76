import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { nodeOnPath } from '../../../src/extension/nodeOnPath.ts';

let dir = '';

beforeEach(() => {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'path-')));
  dir = made;
  onTestFinished(() => rmSync(made, { recursive: true }));
});

function program(...path: string[]): string {
  const file = join(dir, ...path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '');
  chmodSync(file, 0o755);
  return file;
}

const find = (dirs: string[], folders: string[]): string | undefined =>
  nodeOnPath({ PATH: dirs.join(delimiter) }, folders);

it('takes the first executable node on PATH', () => {
  const node = program('bin', 'node');
  mkdirSync(join(dir, 'empty'));
  writeFileSync(join(dir, 'empty', 'node'), '', { mode: 0o644 });
  expect(find([join(dir, 'empty'), join(dir, 'bin')], [])).toBe(node);
});

it('never takes one out of the workspace, not even through a link or a relative entry', () => {
  program('work', 'node_modules', '.bin', 'node');
  symlinkSync(join(dir, 'work', 'node_modules', '.bin'), join(dir, 'innocent'));
  symlinkSync(join(dir, 'work'), join(dir, 'opened'));
  const places = [join(dir, 'work', 'node_modules', '.bin'), join(dir, 'innocent'), 'node_modules/.bin', '.', ''];
  expect(find(places, [join(dir, 'opened')])).toBeUndefined();
  expect(find([...places, join(dir, 'bin')], [join(dir, 'opened')])).toBeUndefined();
  const outside = program('bin', 'node');
  expect(find([...places, join(dir, 'bin')], [join(dir, 'opened')])).toBe(outside);
});

it('takes one beside the workspace whose folder only begins with the same name', () => {
  const node = program('work-tools', 'node');
  mkdirSync(join(dir, 'work'));
  expect(find([join(dir, 'work-tools')], [join(dir, 'work')])).toBe(node);
});
