// Every way in which a workspace has MCP servers, in one tree: configured by several clients, developed in the folder,
// running already, and the user's own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { drive, screenshot } from '../host/browser.mjs';
import { repoRoot } from '../host/places.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { dialog, openWorkbench, runCommand } from '../host/workbench.mjs';
import { openTunnelViews, treeRow, unfold } from './panelSteps.mjs';

const running = join(repoRoot, 'test/fixtures/bothEras.mjs');

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function discovery(vsix, host) {
  const base = await mkdtemp(join(tmpdir(), 'fixture-'));
  const folder = join(base, 'weather-app');
  /** @param {string} path @param {string | object} content */
  const put = async (path, content) => {
    await mkdir(dirname(join(base, path)), { recursive: true });
    await writeFile(join(base, path), typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  };
  await put('weather-app/.vscode/mcp.json', {
    servers: { everything: { command: 'npx', args: ['-y', 'everything'] } },
  });
  await put('weather-app/.codex/config.toml', '[mcp_servers.search]\nurl = "http://127.0.0.1:3999/mcp"\n');
  await put('weather-app/.continue/mcpServers/broken.yaml', 'name: x\nmcpServers: [ { name: a,\n');
  await put('weather-app/server/package.json', {
    name: 'forecast',
    bin: 'cli.js',
    dependencies: { '@modelcontextprotocol/sdk': '1' },
  });
  await put('weather-app/server/cli.js', 'const transport = new StdioServerTransport();\n');
  await put('home/codex/config.toml', '[mcp_servers.notes]\ncommand = "notes-mcp"\n');
  const server = spawn(process.execPath, [running, '--http', '0', '--era', 'legacy'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const vscode = await startVscode({
    ...(host && { host }),
    extensionVsix: vsix,
    env: { CODEX_HOME: join(base, 'home/codex') },
  });
  try {
    await once(server.stderr, 'data');
    await drive(vscode, 'discovery', async (page) => {
      await openWorkbench(page, vscode.url, folder);
      await openTunnelViews(page);
      for (const other of ['Tunnels', 'Agents']) await page.getByRole('button', { name: `${other} Section` }).click();
      await treeRow(page, /^everything/).waitFor();
      await treeRow(page, /^search/).waitFor();
      await treeRow(page, /^forecast/).waitFor();
      await treeRow(page, /^Line \d/).waitFor();

      await runCommand(page, 'MCP Tunnel: Find Running Servers');
      const question = await dialog(page, 'Find running servers?');
      await screenshot(page, 'find-running');
      await question.getByRole('button', { name: 'Ask Them' }).click();
      await treeRow(page, /^Running/).waitFor();
      await unfold(page, /^Yours, in every workspace/);
      await treeRow(page, /^notes/).waitFor();
      await screenshot(page, 'discovery');

      await put(
        'weather-app/second/pyproject.toml',
        '[project]\nname = "radar"\ndependencies = ["fastmcp"]\n[project.scripts]\nradar = "r:main"\n',
      );
      await treeRow(page, /^radar/).waitFor();
      await rm(join(folder, '.codex'), { recursive: true });
      await treeRow(page, /^search/).waitFor({ state: 'detached' });
      assert.equal(server.exitCode, null);
    });
  } finally {
    await vscode.close();
    server.kill('SIGKILL');
    await rm(base, { recursive: true, force: true });
  }
}
