// What nobody agreed to is not run: a folder that is not trusted, a window without a folder, a folder without servers.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import { notification, openWorkbench, runCommand, trustFolder } from '../host/workbench.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { consent, exposeHere, openTunnelViews, treeRow } from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('../host/startVscode.mjs').Vscode} Vscode */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function safety(vsix, host) {
  const fixture = await fixtureWorkspace();
  const empty = await mkdtemp(join(tmpdir(), 'empty-'));
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix, workspaceTrust: true });
  try {
    await drive(vscode, 'safety', async (page) => {
      await untrusted(page, vscode, fixture.folder);
      await withoutServers(page, vscode, empty);
      await withoutFolder(page, vscode);
    });
  } finally {
    await vscode.close();
    await fixture.remove();
    await rm(empty, { recursive: true, force: true });
  }
}

/** @param {Page} page @param {Vscode} vscode @param {string} folder */
async function untrusted(page, vscode, folder) {
  await openWorkbench(page, vscode.url, folder);
  await openTunnelViews(page);
  await treeRow(page, /^everything/).waitFor();
  await page.getByText('servers are listed, none is run').waitFor();
  await page.getByText('no server of it can be exposed').waitFor();
  await treeRow(page, /^everything/)
    .locator('.monaco-tl-twistie')
    .click();
  const refused = treeRow(page, /^Restricted Mode: no server is run, Manage Workspace Trust/);
  // In a low view it stands below the edge: the key goes to the first row below, and brings it into sight.
  await until('why nothing is shown', async () => {
    if (await refused.isVisible()) return true;
    await page.keyboard.press('ArrowRight');
    return false;
  });
  await screenshot(page, 'restricted');
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  const told = await notification(page, 'This window is in Restricted Mode');
  assert.equal(
    await page.locator('.quick-input-widget:visible').count(),
    0,
    'a restricted window asked what to expose',
  );
  await told.getByRole('button', { name: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-editor').waitFor();
  await trustFolder(page);
  await page.getByText('No server is exposed').waitFor();
  await page.getByText('servers are listed, none is run').waitFor({ state: 'detached' });
  await treeRow(page, /^Show tools…, starts the server/).waitFor();
  await exposeHere(page, 'everything');
  await consent(page, 'everything');
  await notification(page, 'everything is open to agents');
}

/** @param {Page} page @param {Vscode} vscode @param {string} folder */
async function withoutServers(page, vscode, folder) {
  await openWorkbench(page, vscode.url, folder);
  await trustFolder(page);
  await openTunnelViews(page);
  const add = page.getByRole('button', { name: 'Add MCP Server' });
  await add.waitFor();
  await screenshot(page, 'no-servers');
  await add.click();
  await page.getByRole('tab', { name: 'mcp.json' }).waitFor();
  assert.ok(existsSync(join(folder, '.vscode', 'mcp.json')));
  await treeRow(page, /^everything, npx/).waitFor();
  await screenshot(page, 'server-added');
}

/** @param {Page} page @param {Vscode} vscode */
async function withoutFolder(page, vscode) {
  await openWorkbench(page, vscode.url);
  await openTunnelViews(page);
  await page.getByText('MCP servers are found in the files of a folder').waitFor();
  await screenshot(page, 'no-folder');
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  const told = await notification(page, 'Open one first');
  await told.getByRole('button', { name: 'Open Folder' }).waitFor();
}
