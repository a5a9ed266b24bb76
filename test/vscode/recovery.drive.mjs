// What is exposed stays exposed: a killed helper and a reloaded window bring back hostname, port and token, and the
// inspector with what was typed into it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import { notification, openWorkbench, runCommand, webviewFrame, workbenchReady } from '../host/workbench.mjs';
import { asAgent } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { consent, copyConfig, dismissToasts, exposeHere, openTunnelViews, treeRow } from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('../host/startVscode.mjs').Vscode} Vscode */
/** @typedef {import('./agent.mjs').Access} Access */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function recovery(vsix, host) {
  const fixture = await fixtureWorkspace();
  const settings = { 'workbench.colorTheme': 'Default Dark Modern' };
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix, settings });
  try {
    await drive(vscode, 'recovery', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await openTunnelViews(page);
      await exposeHere(page, 'everything');
      await consent(page, 'everything');
      await notification(page, 'everything is open to agents');
      const access = await copyConfig(page);
      await killedHelper(page, vscode, access);
      await reloadedWindow(page, vscode, access);
      await crashingHelper(page, vscode);
    });
  } finally {
    await vscode.close();
    await fixture.remove();
  }
}

/** @param {Page} page @param {Vscode} vscode @param {Access} access */
async function killedHelper(page, vscode, access) {
  const [helper] = await helpers(vscode, 1);
  assert.ok(helper);
  process.kill(helper, 'SIGKILL');
  await until('another helper', async () => (await helpers(vscode, 1))[0] !== helper);
  await treeRow(page, /^everything, connected/).waitFor();
  await asAgent(access, (client) => client.listTools());
  assert.deepEqual(await copyConfig(page), access, 'another address or token after the crash');
}

/** @param {Page} page @param {Vscode} vscode @param {Access} access */
async function reloadedWindow(page, vscode, access) {
  await runCommand(page, 'MCP Tunnel: Open Inspector');
  const before = await webviewFrame(page, 'MCP Inspector');
  await asAgent(access, async (client) => {
    await client.callTool({ name: 'echo', arguments: { message: 'before the reload' } });
    await client.callTool({ name: 'get-sum', arguments: { a: 1, b: 2 } });
  });
  await before.getByRole('row', { name: /echo/ }).click();
  await before.getByText('before the reload').first().waitFor();
  await before.getByRole('searchbox').fill('tools/call');
  await before.getByText(/^2 of \d+ calls$/).waitFor();
  await dismissToasts(page);
  await screenshot(page, 'inspector-dark');

  // The window's own command: it writes down what was open before it goes.
  await Promise.all([page.waitForEvent('domcontentloaded'), runCommand(page, 'Developer: Reload Window')]);
  await workbenchReady(page);
  await treeRow(page, /^everything, connected/).waitFor();
  await helpers(vscode, 1); // The window before the reload left none behind.
  await asAgent(access, (client) => client.callTool({ name: 'echo', arguments: { message: 'after the reload' } }));
  const after = await webviewFrame(page, 'MCP Inspector');
  await until('the filter', async () => (await after.getByRole('searchbox').inputValue()) === 'tools/call');
  await after.getByRole('row', { name: /echo/ }).click();
  await after.getByText('after the reload').first().waitFor();
}

/** Killed again and again, it is not started forever: a person is told and decides. @param {Page} page @param {Vscode} vscode */
async function crashingHelper(page, vscode) {
  await dismissToasts(page);
  /** @type {number | undefined} */
  let last;
  const again = async () => {
    const [helper] = await runningHelpers(vscode);
    if (helper !== undefined && helper !== last) process.kill((last = helper), 'SIGKILL');
    return page.getByText('keeps ending').first().isVisible();
  };
  await until('the helper to be given up', again);
  const told = await notification(page, 'keeps ending');
  await page.getByText('keeps ending or could not be started').waitFor();
  await page.getByText('is being started again').waitFor({ state: 'detached' });
  await screenshot(page, 'helper-given-up');
  await told.getByRole('button', { name: 'Restart Helper' }).click();
  await treeRow(page, /^everything, connected/).waitFor();
}

/** Waits until there are as many as expected. @param {Vscode} vscode @param {number} count @returns {Promise<number[]>} */
function helpers(vscode, count) {
  return until(`${count} helpers`, async () => {
    const found = await runningHelpers(vscode);
    return found.length === count && found;
  });
}

/** Ids of the helpers that this VS Code runs now. @param {Vscode} vscode */
async function runningHelpers(vscode) {
  const ids = await vscode.processes();
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return ids.filter((_, index) => /dist\/helper\.js\0/.test(lines[index] ?? ''));
}
