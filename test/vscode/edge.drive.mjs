// Through an edge: a destination that is locked until the person allows it, unusable until the machine is enrolled,
// and then open to agents elsewhere. The edge is a process of its own; when it dies the tunnel says so and comes back.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { drive, screenshot } from '../host/browser.mjs';
import { repoRoot } from '../host/places.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { dialog, enterText, notification, openWorkbench, pick, runCommand, webviewFrame } from '../host/workbench.mjs';
import { asAgent } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { consent, copyConfig, dismissToasts, openTunnelViews, treeRow } from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {{ edge: string, pin: string, stop: () => Promise<void> }} Edge */

const cli = join(repoRoot, 'dist', 'cli.js');

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function throughEdge(vsix, host) {
  const dir = await mkdtemp(join(tmpdir(), 'edge-'));
  const env = { MCP_TUNNEL_HOME: join(dir, 'home') };
  const fixture = await fixtureWorkspace();
  let edge = await startEdge(dir, '0');
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix, env });
  try {
    await drive(vscode, 'edge', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await openTunnelViews(page);
      await allow(page, edge.edge);
      await enrol(dir, env, edge);
      await expose(page, edge.edge);
      const access = await copyConfig(page);
      assert.match(access.url, /^https:\/\/everything-\w+\.edge\.localhost:\d+\/mcp$/);
      await asAgent(access, (client) => client.callTool({ name: 'echo', arguments: { message: 'from afar' } }));
      await seen(page);
      await edge.stop();
      await cutOff(page);
      edge = await startEdge(dir, new URL(access.url).port);
      await treeRow(page, /^everything, connected/).waitFor();
      await asAgent(access, (client) => client.listTools());
    });
  } finally {
    await vscode.close();
    await edge.stop();
    await fixture.remove();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Not allowed, then allowed and not enrolled. @param {Page} page @param {string} edge */
async function allow(page, edge) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await pick(page, 'everything');
  await pick(page, 'Another edge…');
  await enterText(page, 'Name of the edge', edge);
  const refused = await notification(page, `${edge} is not on the allowlist`);
  await refused.getByRole('button', { name: 'Allow This Destination…' }).click();
  const question = await dialog(page, `Allow tunnels to ${edge}?`);
  await question.getByRole('button', { name: 'Allow', exact: true }).click();
  await notification(page, `This machine is not enrolled at ${edge}`);
  await screenshot(page, 'edge-not-enrolled');
  await dismissToasts(page);
}

/** @param {Page} page @param {string} edge */
async function expose(page, edge) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await pick(page, 'everything');
  await page.locator('.quick-input-widget:visible').getByText('Agents anywhere that hold a token').waitFor();
  await screenshot(page, 'edge-destinations');
  await pick(page, edge);
  await consent(page, 'everything');
  await notification(page, /everything is open to agents that hold its token at everything-\w+\.edge\.localhost/);
  await screenshot(page, 'edge-exposed');
}

/** @param {Page} page */
async function seen(page) {
  await treeRow(page, /^everything, connected · 1 agent/).waitFor();
  await treeRow(page, /^edge\.localhost:\d+, end-to-end encrypted/).waitFor();
  await page.locator('.part.statusbar .statusbar-item.warning-kind').getByText('1 tunnel').waitFor();
  await runCommand(page, 'MCP Tunnel: Open Inspector');
  const frame = await webviewFrame(page, 'MCP Inspector');
  await frame.getByRole('row', { name: /travel-planner.*echo.*ok/ }).click();
  await frame.getByText('from afar').first().waitFor();
  await dismissToasts(page);
  await screenshot(page, 'edge-inspector');
}

/** @param {Page} page */
async function cutOff(page) {
  await treeRow(page, /^everything, (waiting, next attempt in|connecting)/).waitFor();
  const reason = treeRow(page, /edge\.localhost.*Show Log/);
  await reason.waitFor();
  await screenshot(page, 'edge-cut-off');
}

/** @param {string} dir @param {string} port @returns {Promise<Edge>} */
async function startEdge(dir, port) {
  const words = ['edge', 'run', '--domain', 'edge.localhost', '--listen', `127.0.0.1:${port}`, '--data', dir, '--json'];
  const child = spawn(process.execPath, [cli, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (/** @type {Buffer} */ chunk) => (said += chunk));
  const exited = once(child, 'exit');
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`the edge ended with exit code ${code}: ${said}`))),
  ]);
  const { edge, pin } = JSON.parse(line);
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { edge, pin, stop };
}

/** What whoever hosts the edge and whoever uses it do in their terminals. @param {string} dir @param {NodeJS.ProcessEnv} env @param {Edge} edge */
async function enrol(dir, env, { edge, pin }) {
  const tokenFile = join(dir, 'token.txt');
  const run = promisify(execFile);
  await run(process.execPath, [cli, 'edge', 'token', '--data', dir, '--token-file', tokenFile]);
  const words = ['enroll', edge, '--pin', pin, '--token-file', tokenFile];
  await run(process.execPath, [cli, ...words], { env: { ...process.env, ...env } });
}
