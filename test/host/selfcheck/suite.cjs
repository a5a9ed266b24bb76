// A suite that must pass: the API is VS Code's own, and the extension under development is the one on disk.
const assert = require('node:assert/strict');
const vscode = require('vscode');
const { InHostSuite } = require('../inHostSuite.mjs');

const suite = new InHostSuite();

suite.it('sees the extension under development', async () => {
  const extension = vscode.extensions.getExtension('mcp-tunnel-tests.selfcheck');
  assert.equal(extension?.extensionPath, require('node:path').join(__dirname, 'extension'));
  await extension.activate();
});

suite.it('runs its commands', async () => {
  assert.ok((await vscode.commands.getCommands(true)).includes('selfcheck.greet'));
});

exports.run = suite.run;
