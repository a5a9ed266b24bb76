// The configuration files discovery knows, as a table: a further format is a row here and a reader beside it.
import type { ConfigReader } from './configReader.ts';
import { readJsonServers } from './jsonServers.ts';

/** In the order servers are listed. */
export const formats: readonly ConfigReader[] = [
  {
    format: 'vscode',
    path: ['.vscode', 'mcp.json'],
    variables: 'vscode',
    read: (text) => readJsonServers(text, { key: 'servers', looseEnv: true }),
  },
  {
    format: 'claude-code',
    path: ['.mcp.json'],
    variables: 'shell',
    read: (text) => readJsonServers(text, { key: 'mcpServers', looseEnv: false }),
  },
  {
    format: 'cursor',
    path: ['.cursor', 'mcp.json'],
    variables: 'cursor',
    read: (text) => readJsonServers(text, { key: 'mcpServers', looseEnv: false }),
  },
];
