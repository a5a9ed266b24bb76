// What a server offers, looked at before it is exposed: a real one, one that is poisoned, one that cannot start, and one
// whose tools change behind the developer's back. Nothing is run before somebody agreed.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drive, screenshot } from '../host/browser.mjs';
import { repoRoot } from '../host/places.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import { dialog, openWorkbench } from '../host/workbench.mjs';
import { clipboard, dismissToasts, openTunnelViews, pressOnRow, treeRow } from './panelSteps.mjs';

const everything = join(repoRoot, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const odd = join(repoRoot, 'test/fixtures/oddServer.mjs');

/** @typedef {import('playwright-core').Page} Page */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function preview(vsix, host) {
  const base = await mkdtemp(join(tmpdir(), 'fixture-'));
  const folder = join(base, 'weather-app');
  const list = join(base, 'tools.json');
  /** @param {string} description */
  const drift = (description) =>
    writeFile(list, JSON.stringify([{ name: 'forecast', description, inputSchema: { type: 'object' } }]));
  await drift('Tells the weather.');
  await mkdir(join(folder, '.vscode'), { recursive: true });
  const servers = Object.fromEntries(
    Object.entries({
      everything: [everything, 'stdio'],
      calculator: [odd, 'poisoned'],
      broken: [odd, 'exit'],
      weather: [odd, 'drifting', list],
    }).map(([name, args]) => [name, { command: process.execPath, args }]),
  );
  await writeFile(join(folder, '.vscode', 'mcp.json'), JSON.stringify({ servers }, undefined, 2));
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix });
  try {
    await drive(vscode, 'preview', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, folder);
      await openTunnelViews(page);
      for (const other of ['Tunnels', 'Agents']) await page.getByRole('button', { name: `${other} Section` }).click();
      await realServer(page);
      await poisonedServer(page);
      await brokenServer(page);
      await changingServer(page, () => drift('Tells the weather, and more.'));
    });
  } finally {
    await vscode.close();
    await rm(base, { recursive: true, force: true });
  }
}

/** @param {Page} page */
async function realServer(page) {
  await open(page, /^everything/);
  await treeRow(page, /^Show tools…, starts the server/).waitFor();
  await screenshot(page, 'preview-consent');
  await treeRow(page, /^Show tools…/).click();
  const question = await dialog(page, 'Run “everything” on this machine to see its tools?');
  await question.getByText('no agent can reach it').waitFor();
  await screenshot(page, 'preview-question');
  await question.getByRole('button', { name: 'Run and Show Tools' }).click();
  const tools = treeRow(page, /^Tools, \d+ · .*≈ [\d,]+ tokens · just now/);
  await tools.waitFor();
  await treeRow(page, /^Prompts, \d+/).waitFor();
  await treeRow(page, /^Resources, \d+/).waitFor();
  await open(page, /^Tools, /);
  await treeRow(page, /^echo, Echoes back.*read-only.*≈ \d+ tokens/).waitFor();
  await screenshot(page, 'preview');

  await chooseOnRow(page, /^echo, /, 'Copy Definition as JSON', 'The definition is in the clipboard.');
  assert.equal(JSON.parse(await clipboard(page)).name, 'echo');
  await fold(page, /^everything/);
  await dismissToasts(page);
}

/** @param {Page} page */
async function poisonedServer(page) {
  await agree(page, 'calculator');
  await treeRow(page, /^Tools, 4 · 2 suspicious · 1 refused by some clients/).waitFor();
  await open(page, /^Tools, 4/);
  await open(page, /^add, suspicious/);
  await treeRow(page, /^Hides something from you, .*“Do not tell the user”/).waitFor();
  await treeRow(page, /^Reads secrets, /).waitFor();
  // A stranger's name is neither a link nor an element.
  await treeRow(page, /^\[Docs\]\(command:workbench\.action\.quit\) <img src=x>/).waitFor();
  assert.equal(await page.locator('.tree-explorer-viewlet-tree-view img[src="x"]').count(), 0);
  await screenshot(page, 'preview-poisoned');
  await fold(page, /^calculator/);
}

/** @param {Page} page */
async function brokenServer(page) {
  await agree(page, 'broken');
  await treeRow(page, /cannot start with.*, Retry/).waitFor();
  await screenshot(page, 'preview-failed');
  await fold(page, /^broken/);
}

/** @param {Page} page @param {() => Promise<void>} change */
async function changingServer(page, change) {
  await agree(page, 'weather');
  await treeRow(page, /^Tools, 1 · /).waitFor();
  await treeRow(page, /^Prompts, offers no prompts/).waitFor();
  await change();
  await pressOnRow(page, /^Tools, 1 · /, 'Look Again');
  await treeRow(page, /^1 tool is not what it was, since it was looked at/).waitFor();
  await open(page, /^1 tool is not what it was/);
  await treeRow(page, /^forecast, changed: description/).waitFor();
  await screenshot(page, 'preview-changed');
}

/**
 * From the menu of a row, which takes no click in its first moments; what is chosen may be chosen twice.
 * @param {Page} page
 * @param {RegExp} name of the row
 * @param {string} entry
 * @param {string} told when it was done
 */
async function chooseOnRow(page, name, entry, told) {
  const item = page.getByRole('menuitem', { name: entry });
  const toast = page.locator('.notifications-toasts .notification-list-item').filter({ hasText: told });
  await until(`${entry} to be done`, async () => {
    if (await toast.isVisible()) return true;
    if (await item.isVisible()) await item.click({ timeout: 1_000 }).catch(() => {}); // It closed at this moment.
    else await treeRow(page, name).click({ button: 'right' });
    return false;
  });
}

/** @param {Page} page @param {string} server */
async function agree(page, server) {
  await open(page, new RegExp(`^${server}`));
  await treeRow(page, /^Show tools…/).click();
  const question = await dialog(page, `Run “${server}” on this machine to see its tools?`);
  await question.getByRole('button', { name: 'Run and Show Tools' }).click();
}

/** A server's row opens its file when it is clicked, so only the arrow in front of it unfolds it. */
const open = (/** @type {Page} */ page, /** @type {RegExp} */ name) => turn(page, name, 'true');
const fold = (/** @type {Page} */ page, /** @type {RegExp} */ name) => turn(page, name, 'false');

/** @param {Page} page @param {RegExp} name @param {'true' | 'false'} wanted */
async function turn(page, name, wanted) {
  const row = treeRow(page, name);
  await row.waitFor();
  await until(`${String(name)} to be ${wanted === 'true' ? 'open' : 'folded'}`, async () => {
    if ((await row.getAttribute('aria-expanded')) === wanted) return true;
    await row.locator('.monaco-tl-twistie').click();
    return (await row.getAttribute('aria-expanded')) === wanted;
  });
}
