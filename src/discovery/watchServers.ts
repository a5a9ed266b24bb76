// Says when the files that discovery reads have changed, whether they, their folders or the workspace folder itself
// come, go or are replaced. Watches single folders, never trees: a workspace can hold millions of files.
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock, type Clock, type TimerHandle } from '../core/clock.ts';
import { systemCode } from '../core/errors.ts';
import type { Closable } from '../core/lifetime.ts';
import { maxFolders } from './discover.ts';
import { formats } from './formats.ts';

/** Changes within this time are one. */
export const settleMs = 200;

/** How often the files are looked at where the system gives no more watchers. */
export const pollMs = 2_000;

export function watchServers(folders: readonly string[], onChange: () => void, clock: Clock = systemClock): Closable {
  return new ServersWatch(folders, onChange, clock);
}

class ServersWatch implements Closable {
  readonly #files: string[];
  readonly #folders: string[];
  readonly #onChange: () => void;
  readonly #clock: Clock;
  #watchers: FSWatcher[] = [];
  #timer: TimerHandle | undefined;
  #seen: string | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(folders: readonly string[], onChange: () => void, clock: Clock) {
    const roots = [...new Set(folders.map((folder) => resolve(folder)))].slice(0, maxFolders);
    this.#files = roots.flatMap((root) => formats.map((format) => join(root, ...format.path)));
    this.#folders = [...new Set([...roots, ...this.#files.map((file) => dirname(file))])];
    this.#onChange = onChange;
    this.#clock = clock;
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#replaceWatchers([]);
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
    const complete = this.#replaceWatchers(this.#folders);
    const now = (await Promise.all(this.#files.map(stamp))).join('\n');
    if (this.#closed) return;
    const changed = this.#seen !== undefined && this.#seen !== now;
    this.#seen = now;
    if (!complete) this.#settle(pollMs);
    if (changed) this.#onChange();
  }

  /** False when the system gives no more watchers. */
  #replaceWatchers(folders: readonly string[]): boolean {
    const before = this.#watchers;
    this.#watchers = [];
    const covered = new Set<string>();
    const results = folders.map((folder) => this.#watchNearest(folder, covered));
    for (const watcher of before) watcher.close();
    return !results.includes(false);
  }

  /** Watches the folder, or the nearest one above that exists: there it will appear. */
  #watchNearest(folder: string, covered: Set<string>): boolean {
    for (let at = folder; ; at = dirname(at)) {
      if (covered.has(at)) return true;
      try {
        const watcher = watch(at, { persistent: false }, () => this.#settle());
        watcher.on('error', () => this.#settle());
        this.#watchers.push(watcher);
        covered.add(at);
        return true;
      } catch (error) {
        const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
        if (!isMissing || dirname(at) === at) return false;
      }
    }
  }
}

/** Changes whenever the file does: its identity, size and times. */
async function stamp(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return systemCode(error) ?? 'gone';
  }
}
