// A call waits for the developer: it is continued from its notification, edited in an editor, and answered in place of the
// server from its row. The agent is the SDK's own client.
import assert from 'node:assert/strict';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { enterText, notification, openWorkbench, pick, runCommand } from '../host/workbench.mjs';
import { asAgent } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { consent, copyConfig, dismissToasts, exposeHere, openTunnelViews, treeRow } from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function holds(vsix, host) {
  const fixture = await fixtureWorkspace();
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix });
  try {
    await drive(vscode, 'holds', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await openTunnelViews(page);
      await exposeHere(page, 'everything');
      await consent(page, 'everything');
      await notification(page, 'everything is open to agents');
      const access = await copyConfig(page);
      await asAgent(access, async (client) => {
        const echo = async (/** @type {string} */ message) => {
          await dismissToasts(page);
          await runCommand(page, 'MCP Tunnel: Hold Next Call');
          await notification(page, 'The next call of a tool of everything waits for you.');
          await dismissToasts(page);
          return {
            answer: client.callTool({ name: 'echo', arguments: { message } }).then((said) => JSON.stringify(said)),
          };
        };
        await continued(page, await echo('first'));
        await edited(page, await echo('second'));
        await mocked(page, await echo('third'));
      });
    });
  } finally {
    await vscode.close();
    await fixture.remove();
  }
}

/** @typedef {{ answer: Promise<string> }} Call */

/** @param {Page} page @param {Call} call */
async function continued(page, { answer }) {
  const shown = await notification(page, /calls echo and waits for you: .*first/);
  await treeRow(page, /waits for you: echo/).waitFor();
  await screenshot(page, 'holds-notification');
  await shown.getByRole('button', { name: 'Continue' }).click();
  assert.match(await answer, /Echo: first/);
}

/** @param {Page} page @param {Call} call */
async function edited(page, { answer }) {
  const shown = await notification(page, /calls echo and waits for you: .*second/);
  await shown.getByRole('button', { name: 'Edit…' }).click();
  const asked = await notification(page, 'Edit the arguments of echo, then continue.');
  const editor = page.locator('.editor-instance .monaco-editor').first();
  await editor.click();
  await page.keyboard.press('Control+A');
  await page.evaluate(() => navigator.clipboard.writeText('{"message": "changed"}'));
  await page.keyboard.press('Control+V'); // What is typed gets its closing brackets from the editor.
  await screenshot(page, 'holds-edit');
  await asked.getByRole('button', { name: 'Continue with These Arguments' }).click();
  assert.match(await answer, /Echo: changed/);
}

/** @param {Page} page @param {Call} call */
async function mocked(page, { answer }) {
  await notification(page, /calls echo and waits for you: .*third/);
  await treeRow(page, /waits for you: echo/).click();
  await pick(page, 'Answer in place of the server…');
  await enterText(page, 'Text of the answer', 'as if');
  assert.match(await answer, /as if/);
  await treeRow(page, /waits for you: echo/).waitFor({ state: 'detached' });
}
