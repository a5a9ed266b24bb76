// Runs inside the real extension host, where `vscode` is VS Code's own: what no window needs to be driven for.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { commands, extensions, lm, Uri, window, workspace } from 'vscode';
import { InHostSuite } from '../../host/inHostSuite.mjs';
import { until } from '../../host/until.mjs';

const id = 'mcp-tunnel.mcp-tunnel';
const suite = new InHostSuite();

suite.it('activates and has every command that its manifest names', async () => {
  const extension = extensions.getExtension(id);
  assert.ok(extension);
  await extension.activate();
  const known = new Set(await commands.getCommands(true));
  /** @type {{ command: string }[]} */
  const named = manifest().contributes.commands;
  assert.ok(named.length >= 10);
  for (const { command } of named) assert.ok(known.has(command), command);
});

suite.it('links in its welcome texts only to commands that this VS Code has', async () => {
  const known = new Set(await commands.getCommands(true));
  /** @type {{ contents: string }[]} */
  const contents = manifest().contributes.viewsWelcome;
  const linked = contents.flatMap((entry) =>
    [...entry.contents.matchAll(/\(command:([\w.]+)\)/g)].map((link) => link[1]),
  );
  assert.ok(linked.includes('workbench.trust.manage'));
  for (const command of linked) assert.ok(known.has(command), command);
});

suite.it('shows its texts, not their keys', () => {
  const { contributes, description } = manifest();
  assert.doesNotMatch(JSON.stringify([contributes, description]), /"%[\w.]+%"/);
});

suite.it('starts the helper with the first thing that needs it, and one only', async () => {
  assert.deepEqual(helpers(), []);
  await Promise.all([
    commands.executeCommand('mcpTunnel.refreshServers'),
    commands.executeCommand('mcpTunnel.refreshServers'),
  ]);
  assert.equal(helpers().length, 1);
});

suite.it('hands the helper neither the editor’s options nor a folder of the workspace', async () => {
  const [helper] = helpers();
  const environment = readFileSync(`/proc/${helper}/environ`, 'utf8').split('\0');
  assert.ok(environment.includes('ELECTRON_RUN_AS_NODE=1'));
  assert.ok(!environment.some((line) => line.startsWith('NODE_OPTIONS=')));
  const commandLine = readFileSync(`/proc/${helper}/cmdline`, 'utf8').split('\0');
  assert.equal(commandLine[0], process.execPath);
});

suite.it('lets an agent in the chat name a server, and nothing else', async () => {
  const tool = lm.tools.find(({ name }) => name === 'mcp_tunnel_expose_server');
  assert.deepEqual(tool?.inputSchema?.properties && Object.keys(tool.inputSchema.properties), ['server']);
  assert.equal(tool?.inputSchema?.additionalProperties, false);
  const input = { server: 'nobody', command: 'rm', destination: 'edge.evil.example' };
  const { content } = await lm.invokeTool('mcp_tunnel_expose_server', { input, toolInvocationToken: undefined });
  assert.match(JSON.stringify(content), /No server of this workspace has that name/);
});

suite.it('starts another helper when one is asked for, and ends the old one', async () => {
  const [before] = helpers();
  await commands.executeCommand('mcpTunnel.restartHelper');
  const after = helpers();
  assert.equal(after.length, 1);
  assert.notEqual(after[0], before);
});

suite.it('starts the helper again after it was killed', async () => {
  const [before] = helpers();
  process.kill(before, 'SIGKILL');
  await until('another helper', () => helpers().length === 1 && helpers()[0] !== before);
  await commands.executeCommand('mcpTunnel.refreshServers');
});

suite.it('opens what was agreed to and what is now as documents that cannot be edited', async () => {
  const uri = Uri.from({ scheme: 'mcp-tunnel-plan', path: '/now/everything', query: 'Command: node\n' });
  const document = await workspace.openTextDocument(uri);
  assert.equal(document.getText(), 'Command: node\n');
  const editor = await window.showTextDocument(document);
  const edited = await editor.edit((edit) => edit.insert(editor.selection.active, 'x'));
  assert.equal(edited && document.isDirty, false);
  await commands.executeCommand('workbench.action.closeActiveEditor');
});

suite.it('does not take the edges of a workspace’s settings for those of its user', async () => {
  const settings = workspace.getConfiguration('mcpTunnel');
  await assert.rejects(Promise.resolve(settings.update('edges', ['evil.example.com'], false)));
  assert.deepEqual(settings.get('edges'), []);
});

export const run = suite.run;

/** The manifest as VS Code gives it, with its texts put in. */
function manifest() {
  const extension = extensions.getExtension(id);
  assert.ok(extension);
  return extension.packageJSON;
}

/** Ids of the helpers below this extension host. @returns {number[]} */
function helpers() {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isHelper(pid));
}

/** @param {number} pid */
function isHelper(pid) {
  try {
    const parent = / (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) \S/, ''))?.[1];
    return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('dist/helper.js');
  } catch {
    return false; // It ended while we looked.
  }
}
