// package.json, the translations and the code name the same things.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { advice } from '../../../src/core/advice.ts';
import { adviceTable } from '../../../src/extension/advice.ts';
import { commandIds, contextKeys, inspectorViewType, settingIds, viewIds } from '../../../src/extension/commandIds.ts';
import { findingRows } from '../../../src/mcp/preview/finding.ts';
import { inspectorText } from '../../../src/protocol/inspectorText.ts';

const root = join(import.meta.dirname, '../../..');
const text = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
const manifest = JSON.parse(text('package.json'));
const { contributes } = manifest;
const names = Object.keys(JSON.parse(text('package.nls.json')));

it('contributes exactly the commands that the code has, in one category', () => {
  const commands: { command: string; category: string }[] = contributes.commands;
  expect(commands.map(({ command }) => command).sort()).toEqual(Object.values(commandIds).sort());
  expect(new Set(commands.map(({ category }) => category))).toEqual(new Set(['MCP Tunnel']));
  expect(commands[0]?.command).toBe(commandIds.exposeServer);
});

it('uses in menus and welcome texts only commands and views that exist', () => {
  const known = new Set<string>(Object.values(commandIds));
  const { commandPalette, ...inViews } = contributes.menus as Record<string, { command: string; when: string }[]>;
  const menus = Object.values(inViews).flat();
  for (const { command, when } of commandPalette ?? []) {
    expect(known).toContain(command);
    expect(when, 'what needs a row is not in the palette').toBe('false');
    expect(menus.filter((entry) => entry.command === command && !entry.when.includes('inline'))).not.toEqual([]);
  }
  for (const { command, when } of menus) {
    expect(known).toContain(command);
    expect(
      Object.values(viewIds).some((id) => when.startsWith(`view == ${id}`)),
      when,
    ).toBe(true);
  }
  const linked = [...text('package.nls.json').matchAll(/command:(mcpTunnel\.\w+)/g)].map(([, id]) => id);
  expect(linked.length).toBeGreaterThan(0);
  for (const id of linked) expect(known).toContain(id);
  const views = contributes.views.mcpTunnel as { id: string }[];
  expect(views.map(({ id }) => id)).toEqual(Object.values(viewIds));
});

it('has every button of a row in its menu, too, where the keyboard reaches it', () => {
  type Entry = { command: string; group: string };
  const entries: Entry[] = contributes.menus['view/item/context'];
  const inline = entries.filter(({ group }) => group.startsWith('inline')).map(({ command }) => command);
  const inMenu = new Set(entries.filter(({ group }) => !group.startsWith('inline')).map(({ command }) => command));
  expect(inline.filter((command) => !inMenu.has(command))).toEqual([]);
});

it('asks in its conditions only for context keys that the code sets', () => {
  const inConditions = (JSON.stringify(contributes).match(/"(when|enablement)":"[^"]*"/g) ?? []).join(' ');
  const keys = [...inConditions.matchAll(/mcpTunnel\.\w+/g)].map(([key]) => key);
  const allowed = new Set<string>([...Object.values(contextKeys), ...Object.values(viewIds)]);
  expect(keys).toContain(contextKeys.hasTunnels);
  expect(keys.filter((key) => !allowed.has(key))).toEqual([]);
});

it('has a text for every %key% and no text without one', () => {
  const used = [...text('package.json').matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key);
  expect(new Set(used)).toEqual(new Set(names));
});

it('keeps settings that name a host or a path out of reach of a workspace', () => {
  const properties = contributes.configuration.properties as Record<string, { scope: string }>;
  const { section, ...settings } = settingIds;
  const ids = Object.values(settings).map((id) => `${section}.${id}`);
  expect(Object.keys(properties).sort()).toEqual(ids.sort());
  const { supported, restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
  expect(supported).toBe('limited');
  const anybody = ['mcpTunnel.grant.expiresHours']; // How long a token lasts names nothing that could be reached.
  expect(restrictedConfigurations.toSorted()).toEqual(ids.filter((id) => !anybody.includes(id)).toSorted());
  for (const id of restrictedConfigurations) expect(properties[id]?.scope).toBe('machine');
  expect(manifest.capabilities.virtualWorkspaces).toBe(false);
});

it('is brought back with its inspector after a reload', () => {
  expect(manifest.activationEvents).toContain(`onWebviewPanel:${inspectorViewType}`);
});

/** Every literal that the code translates; run vitest with `-u` after changing one. */
function translated(): string[] {
  const folder = join(root, 'src/extension');
  const literal = /\bt\(\s*'((?:[^'\\]|\\.)*)'/g;
  const inCode = readdirSync(folder).flatMap((file) => [...text('src/extension', file).matchAll(literal)]);
  const sentences = Object.values(adviceTable).map(({ sentence }) => sentence);
  const ofFindings = Object.values(findingRows).flatMap(({ title, sentence }) => [title, sentence]);
  const all = [...inCode.map(([, english]) => english!), ...sentences, ...Object.values(inspectorText), ...ofFindings];
  return [...new Set(all)].sort();
}

it('lists every text of the code in the file that translators start from', async () => {
  const texts = translated();
  expect(texts).toContain('This machine only');
  expect(texts).toContain(advice.ROUTE_BUSY);
  const bundle = `${JSON.stringify(Object.fromEntries(texts.map((english) => [english, english])), null, 2)}\n`;
  await expect(bundle).toMatchFileSnapshot(join(root, 'l10n/bundle.l10n.json'));
});

it('never translates a text that is put together: only literals can be looked up', () => {
  for (const file of readdirSync(join(root, 'src/extension'))) {
    const composed = text('src/extension', file).match(/\bt\(\s*(`|'[^']*'\s*\+)/g);
    expect(composed, file).toBeNull();
  }
});
