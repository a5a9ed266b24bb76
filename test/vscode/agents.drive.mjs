// Who may call, and what: an agent of a person is seen in the tree, gets less, is refused a tool, gets a new token and is
// revoked, all by clicks, while the agent is connected and notices each of it.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import { dialog, enterText, notification, openWorkbench, pick, runCommand } from '../host/workbench.mjs';
import { connectAgent, statusOf, streamedCall } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import {
  clipboard,
  consent,
  copyConfig,
  dismissToasts,
  exposeHere,
  openTunnelViews,
  pressOnRow,
  treeRow,
  unfold,
} from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./agent.mjs').Access} Access */
/** @typedef {Awaited<ReturnType<typeof connectAgent>>} Agent */

const given = ['echo', 'get-sum', 'trigger-long-running-operation'];
const agentRow = /^everything from VS Code, .*left/;

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function agents(vsix, host) {
  const fixture = await fixtureWorkspace();
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix });
  try {
    await drive(vscode, 'agents', async (page) => {
      await page.setViewportSize({ width: 1280, height: 1000 });
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await openTunnelViews(page);
      await treeRow(page, /^everything, node/).waitFor();
      await page.getByText('No agent is let in').waitFor();
      await screenshot(page, 'agents-none');
      await exposeHere(page, 'everything');
      await consent(page, 'everything');
      await notification(page, 'everything is open to agents');
      const access = await copyConfig(page);
      await dismissToasts(page);
      await roomForAgents(page);
      const agent = await connectAgent(access);
      try {
        await isSeen(page, agent);
        await getsLess(page, agent);
        await isRefusedATool(page, agent, fixture.folder);
      } finally {
        await agent.leave();
      }
      await logIsIntact(page);
      await anotherIsAdded(page, access);
      await isRevoked(page, await getsANewToken(page, access));
    });
  } finally {
    await vscode.close();
    await fixture.remove();
  }
}

/** The list of servers is of no interest here. @param {Page} page */
async function roomForAgents(page) {
  await page.getByRole('button', { name: 'Servers Section' }).click();
}

/** @param {Page} page @param {Agent} agent */
async function isSeen(page, { client }) {
  const { tools } = await client.listTools();
  assert.ok(tools.length > given.length);
  await treeRow(page, /^everything from VS Code, 8h left · full access/).waitFor();
  const caller = page.getByRole('treeitem', { name: /^travel-planner 1\.2\.0, 127\.0\.0\.1 · \d+ calls? · / });
  await caller.waitFor();
  await treeRow(page, agentRow).hover();
  await screenshot(page, 'agents-connected');
}

/** @param {Page} page @param {Agent} agent */
async function getsLess(page, { client }) {
  await pressOnRow(page, agentRow, 'Change Access…');
  await pick(page, 'Only some tools…');
  await page.getByPlaceholder('Tick the tools that it may call').waitFor();
  await page.locator('.quick-input-widget:visible .quick-input-header').getByRole('checkbox').first().click();
  for (const name of given) await pick(page, name);
  await screenshot(page, 'agents-tick-tools');
  await page.locator('.quick-input-widget:visible').getByRole('button', { name: 'OK' }).click();
  await page.getByPlaceholder('May it change things?').waitFor();
  await screenshot(page, 'agents-read-only');
  await pick(page, 'Read-only');
  await page.getByPlaceholder('How long may it call?').waitFor();
  await screenshot(page, 'agents-expiry');
  await pick(page, 'As it is now');
  const question = await dialog(page, 'Change the access of everything from VS Code?');
  await question.getByText('Only tools that say they change nothing may be called.').waitFor();
  await screenshot(page, 'agents-difference');
  await question.getByRole('button', { name: 'Apply' }).click();
  await treeRow(page, /^everything from VS Code, .*left · read-only · 3 tools/).waitFor();
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name).sort(), given);
}

/** @param {Page} page @param {Agent} agent @param {string} folder */
async function isRefusedATool(page, { client }, folder) {
  const echo = () => client.callTool({ name: 'echo', arguments: { message: 'hello' } });
  await unfold(page, /^Tools, /);
  await treeRow(page, /^echo, allowed · read-only/).waitFor();
  await treeRow(page, /^get-env, denied/).waitFor();
  await screenshot(page, 'agents-tools');
  await unfold(page, /^echo, /);
  const mine = /^everything from VS Code, (allowed|denied)/;
  await treeRow(page, mine).hover();
  await screenshot(page, 'agents-tool-verdict');
  await pressOnRow(page, mine, 'Deny for This Agent');
  await treeRow(page, /^echo, denied/).waitFor();
  await assert.rejects(echo, /policy|denied|not allowed/i);
  await screenshot(page, 'agents-tool-denied');
  await pressOnRow(page, mine, 'Allow for This Agent');
  await treeRow(page, /^echo, allowed/).waitFor();
  await echo();

  // A rule of the workspace that the person's own cannot lift.
  const policy = { version: 1, agents: { '*': { tools: ['*', 'get-summ'], deny: ['ech*'] } } };
  await writeFile(join(folder, '.vscode', 'mcp-tunnel.json'), JSON.stringify(policy, undefined, 2));
  await until('the workspace’s rule', async () => {
    await pressOnRow(page, /^Tools, /, 'Refresh Tools');
    return treeRow(page, /^echo, denied/).isVisible();
  });
  await treeRow(page, /^get-summ: no such tool/).waitFor();
  await pressOnRow(page, mine, 'Allow for This Agent');
  const told = await notification(page, /mcp-tunnel\.json still refuses it/);
  await screenshot(page, 'agents-conflict');
  await told.getByRole('button', { name: 'Open File' }).click();
  await page.getByRole('tab', { name: 'mcp-tunnel.json' }).waitFor();
  await dismissToasts(page);
  await writeFile(join(folder, '.vscode', 'mcp-tunnel.json'), JSON.stringify({ version: 1 }));
  await until('the tool', () => echo().catch(() => undefined));
  await unfold(page, /^Tools, /);
  await treeRow(page, /^Tools, /).click();
  await page.keyboard.press('ArrowLeft');
}

/** @param {Page} page */
async function logIsIntact(page) {
  await runCommand(page, 'MCP Tunnel: Verify Audit Log');
  await notification(page, /The audit log is intact: \d+ records\. The newest head/);
  await screenshot(page, 'agents-audit');
  await dismissToasts(page);
}

/** @param {Page} page @param {Access} access */
async function anotherIsAdded(page, { url, caFile }) {
  await runCommand(page, 'MCP Tunnel: Add Agent…');
  await enterText(page, 'How shall it be called here?', 'Ada on her laptop');
  await page.getByPlaceholder('Which server may it reach?').waitFor();
  await screenshot(page, 'agents-add-server');
  await pick(page, 'everything');
  await pick(page, 'Everything the policy allows');
  await pick(page, 'Also tools that may change things');
  await pick(page, '24 hours');
  await notification(page, 'The token of Ada on her laptop is in the clipboard');
  await screenshot(page, 'agents-added');
  const token = await clipboard(page);
  assert.match(token, /^mcpt_/);
  assert.equal(await statusOf({ url, caFile }), 401);
  const agent = await connectAgent({ url, caFile, token });
  const { tools } = await agent.client.listTools();
  assert.ok(tools.length > given.length);
  await agent.leave();
  await dismissToasts(page);
}

/** @param {Page} page @param {Access} access @returns {Promise<Access>} */
async function getsANewToken(page, access) {
  await pressOnRow(page, agentRow, 'Rotate Token…');
  await page.getByPlaceholder('When shall the old token stop working?').waitFor();
  await screenshot(page, 'agents-rotate');
  await pick(page, 'At once');
  const told = await notification(page, 'everything from VS Code has a new token');
  await page.evaluate(() => navigator.clipboard.writeText('')); // The token of the other agent is still there.
  await told.getByRole('button', { name: 'Copy Token' }).click();
  const token = await until('the new token', async () => {
    const text = await clipboard(page);
    return text.startsWith('mcpt_') ? text : undefined;
  });
  assert.notEqual(token, access.token);
  assert.equal(await statusOf(access), 401);
  return { ...access, token };
}

/** @param {Page} page @param {Access} access */
async function isRevoked(page, access) {
  await dismissToasts(page);
  const agent = await connectAgent(access);
  try {
    const session = agent.transport.sessionId ?? '';
    const call = await streamedCall({ ...access, session }, 'trigger-long-running-operation', {
      duration: 600,
      steps: 600,
    });
    assert.equal(call.status, 200);
    await pressOnRow(page, agentRow, 'Revoke Agent…');
    const question = await dialog(page, 'Revoke everything from VS Code?');
    await question.getByText('travel-planner').waitFor();
    await screenshot(page, 'agents-revoke');
    await question.getByRole('button', { name: 'Revoke' }).click();
    const text = await call.text;
    assert.doesNotMatch(text, /completed/);
    assert.equal(await statusOf(access), 401);
  } finally {
    await agent.leave();
  }
  await unfold(page, /^Ended \(1\)/);
  await treeRow(page, /^everything from VS Code, revoked/).waitFor();
  await screenshot(page, 'agents-revoked');
}
