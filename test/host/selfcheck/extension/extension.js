// One of everything that a drive must be able to reach: a tree, a quick pick, an input box, a notification, a webview.
const vscode = require('vscode');

/** @param {vscode.ExtensionContext} context */
exports.activate = (context) => {
  const tree = { getChildren: () => ['alpha', 'beta'], getTreeItem: (name) => new vscode.TreeItem(name) };
  context.subscriptions.push(
    vscode.window.registerTreeDataProvider('selfcheck.tree', tree),
    vscode.commands.registerCommand('selfcheck.greet', greet),
    vscode.commands.registerCommand('selfcheck.open', openPanel),
  );
};

async function greet() {
  const greeting = await vscode.window.showQuickPick(['Good morning', 'Good night'], { placeHolder: 'How?' });
  const name = await vscode.window.showInputBox({ prompt: 'Whom?' });
  await vscode.window.showInformationMessage(`${greeting}, ${name}`, 'Thanks');
}

function openPanel() {
  const panel = vscode.window.createWebviewPanel('selfcheck.panel', 'Self-check panel', vscode.ViewColumn.One, {
    enableScripts: true,
  });
  panel.webview.onDidReceiveMessage((said) => panel.webview.postMessage(`heard ${said}`));
  panel.webview.html = `<!doctype html><title>Panel</title><button>Say</button><output></output><script>
    const vscode = acquireVsCodeApi();
    document.querySelector('button').onclick = () => vscode.postMessage('hello');
    addEventListener('message', ({ data }) => { document.querySelector('output').textContent = data; });
  </script>`;
}
