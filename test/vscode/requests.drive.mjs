// What the editor is asked for, and by whom: a file asks for an input, a person edits a guess, the chat gets a tunnel,
// and a link asks to expose a server. Nothing of it happens without the person.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { drive, screenshot } from '../host/browser.mjs';
import { repoRoot } from '../host/places.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { until } from '../host/until.mjs';
import {
  dialog,
  enterText,
  notification,
  openWorkbench,
  pick,
  runCommand,
  workbenchReady,
} from '../host/workbench.mjs';
import { consent, dismissToasts, openTunnelViews, treeRow } from './panelSteps.mjs';

const everything = join(repoRoot, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const link = 'vscode://mcp-tunnel.mcp-tunnel/expose?server=';

/** @typedef {import('playwright-core').Page} Page */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function requests(vsix, host) {
  const base = await mkdtemp(join(tmpdir(), 'fixture-'));
  const folder = join(base, 'weather-app');
  await makeWorkspace(folder);
  const settings = { 'chat.disableAIFeatures': false }; // With it off, there is no list of MCP servers either.
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix, settings });
  try {
    await drive(vscode, 'requests', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, folder);
      await openTunnelViews(page);
      await flaggedSecret(page);
      await editedGuess(page);
      await inputOnce(page);
      await chat(page);
      await links(page);
    });
  } finally {
    await vscode.close();
    await rm(base, { recursive: true, force: true });
  }
}

/** @param {string} folder */
async function makeWorkspace(folder) {
  /** @param {string} path @param {string | object} content */
  const put = async (path, content) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  };
  await put('.vscode/mcp.json', {
    inputs: [{ type: 'promptString', id: 'transport', description: 'How it speaks', password: true }],
    servers: { asking: { command: process.execPath, args: [everything, '${input:transport}'] } },
  });
  await put('.mcp.json', {
    mcpServers: { leaky: { command: 'leaky-mcp', env: { API_KEY: 'kJ8s7Hq2Lm4Np6Qr9St1Uv3W' } } },
  });
  await put('server/package.json', {
    name: 'forecast',
    bin: 'cli.js',
    dependencies: { '@modelcontextprotocol/sdk': '1' },
  });
  await put('server/cli.js', 'const transport = new StdioServerTransport();\n');
  const git = promisify(execFile);
  await git('git', ['init', '-q'], { cwd: folder });
  await git('git', ['add', '.'], { cwd: folder });
}

/** @param {Page} page */
async function flaggedSecret(page) {
  await treeRow(page, /^leaky, committed with a secret in it · /).waitFor();
  await treeRow(page, /^asking, asks for How it speaks/).waitFor();
  await screenshot(page, 'requests-servers');
}

/** @param {Page} page */
async function editedGuess(page) {
  await treeRow(page, /^forecast, node cli\.js/).waitFor();
  const box = page.locator('.quick-input-widget:visible');
  const entry = page.getByRole('menuitem', { name: 'Edit Start Command…' });
  await until('the command to be edited', async () => {
    if (await box.isVisible()) return true;
    if (await entry.isVisible()) await entry.click({ timeout: 1_000 }).catch(() => {}); // It closed at this moment.
    else await treeRow(page, /^forecast, /).click({ button: 'right' });
    return false;
  });
  await enterText(page, 'without a shell', 'node cli.js | tee log');
  await page.getByText('is for a shell, and none is run').first().waitFor();
  await screenshot(page, 'requests-edit-command');
  await enterText(page, 'How is “forecast” started?', 'node --enable-source-maps cli.js');
  await treeRow(page, /^forecast, node --enable-source-maps cli\.js/).waitFor();
}

/** @param {Page} page */
async function inputOnce(page) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await pick(page, 'asking');
  await page.locator('.quick-input-widget:visible input[type=password]').waitFor();
  await screenshot(page, 'requests-input');
  await enterText(page, 'How it speaks', 'stdio');
  await pick(page, 'This machine only');
  await consent(page, 'asking');
  await treeRow(page, /^asking, connected/).waitFor();
  await dismissToasts(page);
  // A new window, and so a new helper: nobody is asked again.
  await page.reload();
  await workbenchReady(page);
  await openTunnelViews(page);
  await treeRow(page, /^asking, connected/).waitFor();
}

/** @param {Page} page */
async function chat(page) {
  await runCommand(page, "MCP Tunnel: Try in VS Code's Chat");
  await notification(page, 'VS Code’s chat can use asking now');
  await treeRow(page, /^asking in VS Code’s chat/).waitFor();
  await dismissToasts(page);
  await runCommand(page, 'MCP: List Servers');
  await pick(page, 'asking through its tunnel');
  await pick(page, 'Start Server');
  // VS Code's own client, through the tunnel like any agent, and by the grant that was made for it.
  await treeRow(page, /^(Visual Studio Code|code-server) [\d.]+, \d+ calls?/).waitFor();
  await screenshot(page, 'requests-chat');
  await runCommand(page, "MCP Tunnel: Remove from VS Code's Chat");
  await treeRow(page, /^asking in VS Code’s chat/).waitFor({ state: 'detached' });
  await dismissToasts(page);
}

/** @param {Page} page */
async function links(page) {
  await follow(page, `${link}asking&command=rm`);
  await notification(page, 'it may name a server of this workspace, and nothing else');
  await dismissToasts(page);
  await follow(page, `${link}asking`);
  const question = await dialog(page, 'A link asks to expose the MCP server “asking” of this workspace.');
  await screenshot(page, 'requests-link');
  await question.getByRole('button', { name: 'Cancel' }).click();
  await question.waitFor({ state: 'detached' });
  assert.equal(await page.locator('.quick-input-widget:visible').count(), 0);
  await follow(page, `${link}nobody`);
  const other = await dialog(page, 'A link asks to expose the MCP server “nobody” of this workspace.');
  await other.getByRole('button', { name: 'Continue' }).click();
  await notification(page, 'No server of this workspace is called “nobody”');
}

/** As the system would hand it over: VS Code asks first whether the extension may have it. @param {Page} page @param {string} url */
async function follow(page, url) {
  await runCommand(page, 'Developer: Open URL');
  await enterText(page, 'URL to open', url);
  const question = await dialog(page, 'Allow');
  await question.getByRole('button', { name: 'Open' }).click();
}
