// How a project that is developed here is started is our guess; a person who knows better writes the command in its
// place. It is remembered on this machine, and what runs is asked about anew.
import { window } from 'vscode';
import { parseCommandLine, printCommandLine } from '../core/commandLine.ts';
import type { DiscoveredServer } from '../core/server.ts';
import type { App } from './app.ts';
import { serverOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

export async function editStartCommand(app: App, target?: unknown): Promise<void> {
  const server = serverOf(app, target);
  if (!server?.guess || server.transport.kind !== 'stdio') return;
  const { command, args, cwd } = server.transport;
  const line = await window.showInputBox({
    title: t('How is “{0}” started?', server.name),
    prompt: t('Run in {0} without a shell. Empty for our guess.', cwd),
    value: printCommandLine(command, args),
    ignoreFocusOut: true,
    validateInput: (typed) => (typed.trim() === '' ? undefined : problemWith(typed)),
  });
  if (line === undefined) return;
  await setCommand(app, server, line.trim() === '' ? {} : { command: parseCommandLine(line) });
}

async function setCommand(
  app: App,
  { id }: DiscoveredServer,
  command: { command?: { command: string; args: string[] } },
): Promise<void> {
  await app.helper.request('servers/command', { id, folders: app.folders(), ...command });
  await app.servers.refresh();
}

function problemWith(line: string): string | undefined {
  try {
    parseCommandLine(line);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
