// How the settings have a server run: which of its files are watched.
import { workspace } from 'vscode';
import type { OpenTunnel } from '../protocol/control.ts';
import { settingIds } from './commandIds.ts';

/** Nothing for a server that listens by itself: it is not ours to start. */
export function runOf(kind: 'stdio' | 'http' | undefined): Pick<OpenTunnel, 'run'> {
  const set = workspace.getConfiguration(settingIds.section).get<unknown>(settingIds.serverWatch);
  const watch = Array.isArray(set) ? set.filter((path) => typeof path === 'string' && path !== '') : [];
  return kind !== 'stdio' || watch.length === 0 ? {} : { run: { watch } };
}
