// The main job by hand: find a server, expose it to agents on this machine, give an agent its configuration, and look
// at what it calls. Then what is refused, what is asked again, and how it ends.
import assert from 'node:assert/strict';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import { dialog, enterText, notification, openWorkbench, pick, runCommand, webviewFrame } from '../host/workbench.mjs';
import { accessOf, asAgent, statusWithoutToken } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { clipboard, consent, copyConfig, dismissToasts, exposeHere, openTunnelViews, treeRow } from './panelSteps.mjs';

const hostile = 'hello <img src=x onerror=alert(1)>';

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function mainJob(vsix, host) {
  const fixture = await fixtureWorkspace();
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix });
  try {
    await drive(vscode, 'main job', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await servers(page);
      const access = await expose(page);
      const frame = await inspect(page, access);
      await details(page, frame);
      await keyboard(page, frame);
      await tunnelRow(page, access);
      await refusal(page);
      await stopped(page, access, frame);
      await changedCommand(page, fixture);
      await brokenServer(page, fixture);
    });
  } finally {
    await vscode.close();
    await fixture.remove();
  }
}

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').Frame} Frame */
/** @typedef {import('./agent.mjs').Access} Access */

/** @param {Page} page */
async function servers(page) {
  await openTunnelViews(page);
  await treeRow(page, /^everything/).waitFor();
  await treeRow(page, /^needs-a-key, .*key/).waitFor();
  await treeRow(page, /^search/).waitFor();
  await treeRow(page, /^Line 3/).waitFor();
  await page.getByText('No server is exposed').waitFor();
  await screenshot(page, 'servers');
  await treeRow(page, /^Line 3/).click();
  await page.getByRole('tab', { name: 'mcp.json' }).waitFor();
  await page.locator('.part.statusbar').getByText(/Ln 3/).waitFor();
}

/** @param {Page} page @returns {Promise<Access>} */
async function expose(page) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await page.getByPlaceholder('Which MCP server shall agents reach?').waitFor();
  await screenshot(page, 'pick-server');
  await pick(page, 'everything');
  await page.getByPlaceholder('Where may agents come from?').waitFor();
  await screenshot(page, 'pick-destination');
  await pick(page, 'This machine only');
  const question = await dialog(page, 'Run “everything” on this machine and expose it?');
  assert.match(await question.innerText(), /server-everything\/dist\/index\.js stdio[\s\S]*GREETING/);
  await screenshot(page, 'consent');
  await consent(page, 'everything');
  const toast = await notification(
    page,
    /everything is open to agents on this machine at everything-\w+\.tunnel\.localhost/,
  );
  await page.locator('.part.statusbar').getByText('1 tunnel').waitFor();
  await screenshot(page, 'exposed');
  await toast.getByRole('button', { name: 'Copy Client Config…' }).click();
  await page.getByPlaceholder('Which agent shall call everything?').waitFor();
  await screenshot(page, 'client-config');
  await pick(page, 'curl');
  await notification(page, 'The configuration for curl is in the clipboard');
  return accessOf(await clipboard(page));
}

/** @param {Page} page @param {Access} access */
async function inspect(page, access) {
  await runCommand(page, 'MCP Tunnel: Open Inspector');
  const frame = await webviewFrame(page, 'MCP Inspector');
  await frame.getByText('No calls yet').waitFor();
  await dismissToasts(page);
  await screenshot(page, 'inspector-empty');
  assert.equal(await statusWithoutToken(access), 401);
  await asAgent(access, async (client) => {
    await client.listTools();
    const { content } = await client.callTool({ name: 'echo', arguments: { message: hostile } });
    assert.match(JSON.stringify(content), /Echo: hello/);
    await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 'three' } });
  });
  await frame.getByRole('row', { name: /get-sum/ }).waitFor();
  await frame.getByRole('row', { name: /denied 401/ }).waitFor();
  await frame.getByRole('row', { name: /travel-planner.*tools\/list.*ok/ }).waitFor();
  await screenshot(page, 'inspector-rows');
  return frame;
}

/** @param {Page} page @param {Frame} frame */
async function details(page, frame) {
  await frame.getByRole('row', { name: /echo/ }).click();
  const detail = frame.getByRole('region', { name: 'Details of the call' });
  await detail.getByText('"message": "hello').waitFor();
  await detail.getByText('Echo: hello').waitFor();
  assert.equal(await frame.locator('img').count(), 0, 'what an agent sent became part of the page');
  await detail.getByText('Proved to be').waitFor();
  await detail.getByText(/^Request headers/).click();
  await detail.getByRole('cell', { name: /\[redacted\]/ }).waitFor();
  await detail.getByText('Timings').click();
  await detail.getByText('policy decided').waitFor();
  assert.doesNotMatch(await detail.innerText(), /mcpt_/);
  await screenshot(page, 'inspector-detail');
  await detail.getByRole('button', { name: 'Copy' }).first().click();
  await frame.getByText('Copied').waitFor();
  assert.deepEqual(JSON.parse(await clipboard(page)), { name: 'echo', arguments: { message: hostile } });
}

/** @param {Page} page @param {Frame} frame */
async function keyboard(page, frame) {
  const detail = frame.getByRole('region', { name: 'Details of the call' });
  await frame.getByRole('grid').focus();
  await page.keyboard.press('Escape');
  await detail.waitFor({ state: 'detached' });
  await page.keyboard.press('Home');
  await frame.locator('[role=row][aria-rowindex="2"][aria-selected=true]').waitFor();
  // Lines of the server stand between the calls.
  const rows = await frame.locator('[role=row][aria-rowindex]').allInnerTexts();
  const below =
    rows.findIndex((text) => text.includes('initialize')) - rows.findIndex((text) => /server started/.test(text));
  for (let step = 0; step < below; step += 1) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await detail.getByRole('heading', { name: 'initialize' }).waitFor();
  await page.keyboard.press('End');
  await page.keyboard.press('Escape');
  await detail.waitFor({ state: 'detached' });
  const filter = frame.getByRole('searchbox');
  await filter.fill('sum');
  await frame.getByText(/^1 of \d+ calls$/).waitFor();
  await filter.fill('nothing like it');
  await frame.getByText('No call matches “nothing like it”.').waitFor();
  await frame.getByRole('button', { name: 'Clear filter' }).click();
  await frame.getByRole('row', { name: /get-sum/ }).waitFor();
}

/** @param {Page} page @param {Access} access */
async function tunnelRow(page, access) {
  const row = treeRow(page, /^everything, connected · 1 agent · \d+\/min · (just now|\d+s ago)/);
  await row.waitFor();
  await treeRow(page, /^travel-planner 1\.2\.0/).waitFor();
  await row.hover();
  await screenshot(page, 'tunnel-tree');
  await row.getByRole('button', { name: 'Copy URL' }).click();
  await until('the copied URL', async () => (await clipboard(page)) === access.url);
}

/** @param {Page} page */
async function refusal(page) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await pick(page, 'search');
  await pick(page, 'Another edge…');
  await enterText(page, 'Name of the edge', 'edge.example.com');
  const refused = await notification(page, 'edge.example.com:443 is not on the allowlist');
  assert.match(await refused.innerText(), /policy\.json lacks \{"carrier":"edge","host":"edge\.example\.com:443"\}/);
  await screenshot(page, 'destination-refused');
  await refused.getByRole('button', { name: 'Allow This Destination…' }).click();
  const question = await dialog(page, 'Allow tunnels to edge.example.com:443?');
  await screenshot(page, 'destination-allow');
  await question.getByRole('button', { name: 'Allow', exact: true }).click();
  const enrol = await notification(page, 'This machine is not enrolled at edge.example.com:443');
  await enrol.getByRole('button', { name: 'Copy Command' }).click();
  await until('the enrolment command', async () =>
    (await clipboard(page)).startsWith('mcp-tunnel enroll edge.example.com:443'),
  );
  await runCommand(page, 'MCP Tunnel: Allow Destination…');
  await page.locator('.quick-input-widget:visible').getByText('edge.example.com:443').waitFor();
  await screenshot(page, 'destinations');
  await page.keyboard.press('Escape');
}

/** @param {Page} page @param {Access} access @param {Frame} frame */
async function stopped(page, access, frame) {
  const row = treeRow(page, /^everything.*connected/);
  await row.hover();
  await row.getByRole('button', { name: 'Stop Tunnel' }).click();
  await page.getByText('No server is exposed').waitFor();
  await page.locator('.part.statusbar').getByText('1 tunnel').waitFor({ state: 'detached' });
  await assert.rejects(statusWithoutToken(access));
  // What was recorded stays readable after the tunnel is gone.
  await frame.getByRole('row', { name: /echo/ }).waitFor();
  // Exposed again it has the same address, and the token that the agent holds still works.
  await exposeHere(page, 'everything');
  await notification(page, 'everything is open to agents');
  assert.deepEqual(await copyConfig(page), access);
  await asAgent(access, (client) => client.listTools());
  await runCommand(page, 'MCP Tunnel: Stop Tunnel');
  await page.getByText('No server is exposed').waitFor();
}

/** @param {Page} page @param {import('./fixtureWorkspace.mjs').Fixture} fixture */
async function changedCommand(page, fixture) {
  await fixture.change(['/tmp/evil.js', 'stdio']);
  await treeRow(page, /^everything.*evil\.js/).waitFor();
  await dismissToasts(page);
  await exposeHere(page, 'everything');
  const question = await dialog(page, 'is not what you agreed to before');
  assert.match(await question.innerText(), /Command: .*index\.js stdio\s+→\s+.*\/tmp\/evil\.js stdio/);
  await screenshot(page, 'consent-changed');
  await question.getByRole('button', { name: 'Show Difference' }).click();
  await page.getByRole('tab', { name: /agreed to before/ }).waitFor();
  await page.locator('.monaco-diff-editor .view-line').filter({ hasText: 'evil.js' }).first().waitFor();
  await screenshot(page, 'consent-difference');
  const again = await notification(page, 'is not what you agreed to before');
  await again.getByRole('button', { name: 'Do Not Expose' }).click();
  await page.getByText('No server is exposed').waitFor();
}

/** @param {Page} page @param {import('./fixtureWorkspace.mjs').Fixture} fixture */
async function brokenServer(page, fixture) {
  await fixture.change(['-e', 'console.error("no database at db.local"); process.exit(7)']);
  await treeRow(page, /^everything.*no database/).waitFor();
  await exposeHere(page, 'everything');
  await (
    await dialog(page, 'is not what you agreed to before')
  )
    .getByRole('button', { name: 'Run and Expose' })
    .click();
  const failed = await notification(page, /Run the server’s command by itself/);
  assert.match(await failed.innerText(), /no database at db\.local|exit code 7/);
  await page.getByText('No server is exposed').waitFor();
  await screenshot(page, 'server-fails');
  await failed.getByRole('button', { name: 'Show Log' }).click();
  const lines = page.locator('.part.panel .view-lines');
  await lines.filter({ hasText: /no.database.at.db\.local/ }).waitFor();
}
