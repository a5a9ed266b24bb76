// A folder as a developer has it: a real server that can be exposed, one that asks for an input, one that is only
// listening, and a file with a mistake in it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repoRoot } from '../host/places.mjs';

const everything = join(repoRoot, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

/** @typedef {{ folder: string, config: string, change: (args: string[]) => Promise<void>, remove: () => Promise<void> }} Fixture */

/** @returns {Promise<Fixture>} */
export async function fixtureWorkspace() {
  const folder = join(await mkdtemp(join(tmpdir(), 'fixture-')), 'weather-app');
  const config = join(folder, '.vscode', 'mcp.json');
  /** @param {string[]} args */
  const change = (args) => writeFile(config, vscodeConfig(args));
  await mkdir(join(folder, '.vscode'), { recursive: true });
  await mkdir(join(folder, '.cursor'));
  await change([everything, 'stdio']);
  await writeFile(
    join(folder, '.mcp.json'),
    JSON.stringify({ mcpServers: { search: { type: 'http', url: 'http://127.0.0.1:3999/mcp' } } }, undefined, 2),
  );
  await writeFile(join(folder, '.cursor', 'mcp.json'), '{\n  "mcpServers": {\n    "broken": { "command": }\n  }\n}\n');
  await writeFile(join(folder, 'README.md'), '# Weather app\n');
  return { folder, config, change, remove: () => rm(join(folder, '..'), { recursive: true, force: true }) };
}

/** @param {string[]} args */
function vscodeConfig(args) {
  return `{
  // Servers of this workspace.
  "inputs": [{ "id": "key", "type": "promptString", "description": "API key" }],
  "servers": {
    "everything": {
      "type": "stdio",
      "command": "node",
      "args": ${JSON.stringify(args)},
      "env": { "GREETING": "hello" },
    },
    "needs-a-key": { "type": "stdio", "command": "node", "args": ["server.js", "\${input:key}"] },
  },
}
`;
}
