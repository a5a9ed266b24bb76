import { beforeEach, expect, it, vi } from 'vitest';
import type { App } from '../../../src/extension/app.ts';
import { HoldNotices, maxNotices } from '../../../src/extension/holdNotices.ts';
import { until } from '../../support/until.ts';
import { heldCall } from './samples.ts';

type Shown = { args: unknown[]; press: (button: string | undefined) => void };
const shown = vi.hoisted((): Shown[] => []);
const editor = vi.hoisted(() => ({ text: '' }));
vi.mock('vscode', () => {
  const show = (...args: unknown[]) => new Promise((press) => shown.push({ args, press }));
  const window = {
    showInformationMessage: show,
    showWarningMessage: show,
    showErrorMessage: show,
    showTextDocument: () => {},
  };
  const workspace = {
    openTextDocument: ({ content }: { content: string }) => {
      editor.text = content;
      return Promise.resolve({ getText: () => editor.text });
    },
  };
  const l10n = { t: (text: string, ...args: string[]) => text.replace(/\{(\d)\}/g, (_, index) => args[index] ?? '') };
  return { window, workspace, l10n, commands: {}, env: {}, Uri: {}, Position: {}, Range: {} };
});
beforeEach(() => void shown.splice(0));

function notices(refuse: (params: unknown) => void = () => {}) {
  const asked: unknown[] = [];
  const request = (method: string, params: unknown): Promise<null> => {
    asked.push([method, params]);
    refuse(params);
    return Promise.resolve(null);
  };
  const app = { helper: { request }, log: { error: () => {} } } as unknown as App;
  return { notices: new HoldNotices(() => app), asked };
}

it('a call that waits is shown once, in plain words, and its buttons answer it', async () => {
  const here = notices();
  const stranger = heldCall({
    agent: '[Click](command:evil)',
    arguments: `{"a":"${'x'.repeat(500)}"}`,
    isWhole: false,
  });
  here.notices.accept([stranger]);
  here.notices.accept([stranger]);
  expect(shown).toHaveLength(1);
  const [text, ...buttons] = shown[0]!.args as string[];
  expect(text).not.toContain('](');
  expect(text!.length).toBeLessThan(350);
  expect(buttons).toEqual(['Continue', 'Deny']); // What is not all of it cannot be edited.
  shown[0]!.press('Deny');
  await until(() => here.asked.length === 1);
  expect(here.asked).toEqual([['holds/answer', { id: 'h1', answer: { kind: 'deny' } }]]);
});

it('shows no more than a few at a time', () => {
  const { notices: all } = notices();
  const calls = Array.from({ length: maxNotices + 2 }, (_, index) => heldCall({ id: `h${index}` }));
  all.accept(calls);
  expect(shown).toHaveLength(maxNotices);
  all.accept(calls.slice(1));
  expect(shown).toHaveLength(maxNotices + 1);
});

it('arguments are edited in an editor until they can be sent', async () => {
  let refusals = 0;
  const here = notices(() => {
    refusals += 1;
    if (refusals === 1) throw Object.assign(new Error('the argument "/path" must be "/b"'), { code: 'CONFLICT' });
  });
  here.notices.accept([heldCall()]);
  shown[0]!.press('Edit…');
  await until(() => shown.length === 2);
  expect(JSON.parse(editor.text)).toEqual({ path: '/a' });
  editor.text = '{"path":';
  shown[1]!.press('Continue with These Arguments');
  await until(() => shown.length === 3);
  expect(shown[2]!.args[0]).toContain('not a JSON object');
  expect(here.asked).toEqual([]);
  editor.text = '{"path":"/x"}';
  shown[2]!.press('Continue with These Arguments');
  await until(() => shown.length === 4);
  expect(shown[3]!.args[0]).toContain('must be');
  editor.text = '{"path":"/b"}';
  shown[3]!.press('Continue with These Arguments');
  await until(() => here.asked.length === 2);
  const answer = { kind: 'continue', arguments: { path: '/b' } };
  expect(here.asked[1]).toEqual(['holds/answer', { id: 'h1', answer }]);
});
