// Every command as a row: how it is called, what it says of itself, and the function behind it, loaded when called.
import type { CommandRow } from './command.ts';

export const commands: readonly CommandRow[] = [
  {
    name: 'servers',
    arguments: '[dir]',
    summary: 'list the MCP servers that a folder’s configuration files define',
    options: [],
    examples: ['servers', 'servers ~/work/project --json'],
    run: async (context, [dir]) => (await import('./servers.ts')).servers(context, dir),
  },
];
