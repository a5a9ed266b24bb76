// For a workspace without any MCP server: a first `.vscode/mcp.json` to edit. A file that is there is only opened.
import { Uri, window, workspace } from 'vscode';
import type { App } from './app.ts';

const sample = `{
  "servers": {
    "everything": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-everything", "stdio"]
    }
  }
}
`;

export async function addServer(_app: App): Promise<void> {
  const folder = workspace.workspaceFolders?.[0];
  if (!folder) return;
  const file = Uri.joinPath(folder.uri, '.vscode', 'mcp.json');
  if (!(await exists(file))) await workspace.fs.writeFile(file, new TextEncoder().encode(sample));
  await window.showTextDocument(file);
}

async function exists(file: Uri): Promise<boolean> {
  try {
    await workspace.fs.stat(file);
    return true;
  } catch {
    return false; // The answer, not a failure.
  }
}
