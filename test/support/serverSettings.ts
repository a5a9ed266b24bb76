// A fixture server whose next process may be another one: what it is set to, and what each of its processes was told.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './temporaryFolder.ts';

export type ServerSettings = {
  capabilities?: object;
  protocolVersion?: string;
  tools?: object[];
  /** It dies of `tools/call`. */
  deadly?: boolean;
  /** It ends at once, with this code. */
  exit?: number;
};

export type SettableServer = {
  flags: string[];
  /** Counts from the next process on. */
  set: (settings: ServerSettings) => Promise<void>;
  /** What was said to it, process by process. */
  heard: () => Promise<string[][]>;
};

export async function settableServer(settings: ServerSettings = {}): Promise<SettableServer> {
  const folder = await temporaryFolder();
  const [settingsFile, record] = [join(folder, 'settings.json'), join(folder, 'heard')];
  const set = (next: ServerSettings): Promise<void> => writeFile(settingsFile, JSON.stringify(next));
  await set(settings);
  const heard = async (): Promise<string[][]> => {
    const processes = new Map<string, string[]>();
    for (const line of (await readFile(record, 'utf8').catch(() => '')).split('\n').filter((text) => text !== '')) {
      const [pid = '', ...words] = line.split(' ');
      processes.set(pid, [...(processes.get(pid) ?? []), words.join(' ')]);
    }
    return [...processes.values()];
  };
  return { flags: [`--settings=${settingsFile}`, `--record=${record}`], set, heard };
}
