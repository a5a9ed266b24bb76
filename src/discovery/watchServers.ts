// Says when the files that discovery reads have changed, whether they, their folders or the workspace folder itself
// come, go or are replaced. Watches single folders, never trees: a workspace can hold millions of files.
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock, type Clock, type TimerHandle } from '../core/clock.ts';
import { systemCode } from '../core/errors.ts';
import type { Closable } from '../core/lifetime.ts';
import { candidatesIn, rootsOf } from './discover.ts';
import { formats } from './formats.ts';
import { homeOf, userFolder, type Platform } from './places.ts';

/** Changes within this time are one. */
export const settleMs = 200;

/** How often the files are looked at where the system gives no more watchers. */
export const pollMs = 2_000;

/** `platform` says where the user's own files are. */
export function watchServers(
  folders: readonly string[],
  onChange: () => void,
  clock: Clock = systemClock,
  platform: Platform = { platform: process.platform, home: homeOf(process.env), env: process.env },
): Closable {
  return new ServersWatch(folders, onChange, clock, platform);
}

class ServersWatch implements Closable {
  readonly #roots: readonly string[];
  readonly #platform: Platform;
  /** Where files may appear. */
  readonly #folders: readonly string[];
  readonly #onChange: () => void;
  readonly #clock: Clock;
  #watchers = new Map<string, FSWatcher>();
  #timer: TimerHandle | undefined;
  #seen: string | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(folders: readonly string[], onChange: () => void, clock: Clock, platform: Platform) {
    this.#roots = rootsOf(folders);
    this.#platform = platform;
    this.#folders = [...new Set([...this.#roots, ...foldersOf(this.#roots, platform)])];
    this.#onChange = onChange;
    this.#clock = clock;
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    await this.#looking;
  }

  /** The first of a burst sets the time: a folder that never rests is still looked at. */
  #settle(waitMs = settleMs): void {
    if (this.#closed || this.#timer) return;
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#looking = this.#look();
    });
  }

  /**
   * Watchers are set up anew each time, because one whose folder was replaced hears nothing and does not say so.
   * They come before the look, so that nothing falls between the two.
   */
  async #look(): Promise<void> {
    const before = this.#watchers;
    this.#watchers = new Map();
    let complete = this.#watchAll(this.#folders);
    for (const watcher of before.values()) watcher.close();
    const files = (await candidatesIn(this.#roots, this.#platform)).map(({ file }) => file);
    if (this.#closed) return;
    complete = this.#watchAll(files.map((file) => dirname(file))) && complete; // Those that a `*` stands for.
    const now = (await Promise.all(files.map(stamp))).join('\n');
    if (this.#closed) return;
    const changed = this.#seen !== undefined && this.#seen !== now;
    this.#seen = now;
    if (!complete) this.#settle(pollMs);
    if (changed) this.#onChange();
  }

  /** False when the system gives no more watchers. */
  #watchAll(folders: readonly string[]): boolean {
    return !folders.map((folder) => this.#watchNearest(folder)).includes(false);
  }

  /** Watches the folder, or the nearest one above that exists: there it will appear. */
  #watchNearest(folder: string): boolean {
    for (let at = folder; ; at = dirname(at)) {
      if (this.#watchers.has(at)) return true;
      try {
        const watcher = watch(at, { persistent: false }, () => this.#settle());
        watcher.on('error', () => this.#settle());
        this.#watchers.set(at, watcher);
        return true;
      } catch (error) {
        const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
        if (!isMissing || dirname(at) === at) return false;
      }
    }
  }
}

/** The folders in which files stand or may come to stand; for a place with a `*`, the last one that is certain. */
function foldersOf(roots: readonly string[], platform: Platform): string[] {
  return formats.flatMap(({ places }) =>
    places.flatMap(({ base, path }) => {
      const certain = path.slice(
        0,
        path.findIndex((segment) => segment.includes('*')),
      );
      const bases = base === 'workspace' ? roots : [userFolder(base, platform)];
      return bases.map((folder) => join(folder, ...certain));
    }),
  );
}

/** Changes whenever the file does: its identity, size and times. */
async function stamp(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [file, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return `${file} ${systemCode(error) ?? 'gone'}`;
  }
}
