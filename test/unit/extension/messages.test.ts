import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { askWarning, maxMessageLength, showInfo, withoutLinks, withProgress } from '../../../src/extension/messages.ts';
import { lastLinesShown, showFailure } from '../../../src/extension/notify.ts';

const shown = vi.hoisted((): unknown[][] => []);
vi.mock('vscode', () => {
  const show = (...args: unknown[]) => {
    shown.push(args);
    return Promise.resolve(undefined);
  };
  const window = {
    showInformationMessage: show,
    showWarningMessage: show,
    showErrorMessage: show,
    withProgress: (options: { title: string }, work: (progress: unknown, cancel: unknown) => unknown) => {
      shown.push([options.title]);
      return work({ report: ({ message }: { message: string }) => shown.push([message]) }, {});
    },
  };
  const l10n = { t: (text: string, ...args: string[]) => text.replace(/\{(\d)\}/g, (_, index) => args[index] ?? '') };
  return { window, l10n, commands: {}, env: {}, Uri: {}, Position: {}, Range: {} };
});
beforeEach(() => void shown.splice(0));

/** What VS Code makes a link of. */
const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
const hostile = '[all is well](command:workbench.action.terminal.sendSequence?%7B%22text%22%3A%22x%22%7D)';
const texts = () => shown.map(([text]) => String(text)).join('\n');

it('shows the name of a server that is a link as words', async () => {
  expect(hostile).toMatch(link);
  await showInfo(`${hostile} is open`, 'Copy URL');
  expect(shown).toEqual([[expect.stringContaining('[all is well] (command:'), 'Copy URL']]);
  expect(texts()).not.toMatch(link);
});

it('makes no link of two values that are one only together', async () => {
  await showInfo(withoutLinks('[a]') + withoutLinks('(command:b)'));
  expect(texts()).toBe('[a] (command:b)');
});

it('leaves no link, line break or direction character in any text', () => {
  const part = fc.constantFrom('[', ']', '(', ')', 'command:x', 'https://h', '\n', '\u202e', '\u200b', '"', ' ', 'a');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
      const text = withoutLinks(parts.join(''));
      expect(text).not.toMatch(link);
      expect(text).not.toMatch(/[\n\u202e\u200b]/);
    }),
  );
  expect(withoutLinks('a'.repeat(5_000)).length).toBeLessThanOrEqual(maxMessageLength + 1);
});

it('shows title and steps of work without links', async () => {
  await withProgress({ location: 15, title: hostile }, (report) => {
    report(hostile);
    return Promise.resolve();
  });
  expect(shown).toHaveLength(2);
  expect(texts()).not.toMatch(link);
});

it('keeps every line of what is agreed to, however long', async () => {
  const long = `Command: ${'x'.repeat(3_000)}`;
  await askWarning(hostile, `${long}\nFolder: /w\u202e`, 'Run');
  expect(shown).toEqual([[expect.not.stringMatching(link), { modal: true, detail: `${long}\nFolder: /w?` }, 'Run']]);
});

it("shows a server's last lines, and writes all of them to the log", () => {
  const log = { error: vi.fn() };
  const stderr = ['first', 'second', hostile, 'a\u001b[31mb', 'last'];
  const error = new TunnelError('UPSTREAM_EXITED', 'the server ended', { data: { stderr } });
  showFailure({ log } as unknown as Parameters<typeof showFailure>[0], error, hostile);
  expect(texts()).not.toMatch(link);
  expect(texts()).toContain(`a?[31mb ⏎ last`);
  expect(texts()).not.toContain(stderr.at(-lastLinesShown - 1));
  expect(log.error).toHaveBeenLastCalledWith(
    `the server's last lines:\n${['first', 'second', hostile, 'a?[31mb', 'last'].join('\n')}`,
  );
});

it.each([null, [], [' '], 'text', [7]])('says nothing of last lines where %j is all there is', (stderr) => {
  const log = { error: vi.fn() };
  const error = new TunnelError('UPSTREAM_EXITED', 'the server ended', { data: { stderr } });
  showFailure({ log } as unknown as Parameters<typeof showFailure>[0], error);
  expect(log.error).toHaveBeenCalledTimes(1);
  expect(texts()).not.toContain('wrote');
});

it('is the only way to a notification', async () => {
  const folder = 'src/extension';
  const users = [];
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.ts')) continue;
    const source = await readFile(join(folder, file), 'utf8');
    if (/show(Information|Warning|Error)Message|window\s*\.withProgress/.test(source)) users.push(file);
  }
  expect(users).toEqual(['messages.ts']);
});
