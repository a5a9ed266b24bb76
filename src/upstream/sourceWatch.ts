// Files whose change means that a server was rebuilt. Folders are watched one by one, so that what is large and never
// hand-written (node_modules, dot folders) costs nothing, and the number of them is bounded on every system.
import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { systemCode } from '../core/errors.ts';

/** Folders watched for one server; of more, changes go unnoticed. */
export const maxWatchedFolders = 2_000;

/** A build writes many files: it counts as done when nothing changed for `quietMs`, or after `longestMs`. */
export const watchTimes = { quietMs: 300, longestMs: 5_000 };

export type SourceWatchOptions = {
  /** Files, folders, or patterns with `*`, `**` and `?`; relative to `cwd`. */
  paths: readonly string[];
  cwd: string;
  clock: Clock;
  /** Some of it changed; `file` is one of those that did. */
  onChange: (file: string) => void;
  /** A path at which there is nothing yet, more folders than are watched, or more than the system allows. */
  onIncomplete: (why: string) => void;
};

type Pattern = { folder: string; matches: (file: string) => boolean };

export class SourceWatch {
  readonly #options: SourceWatchOptions;
  readonly #patterns: Pattern[] = [];
  readonly #watchers = new Map<string, FSWatcher>();
  #quiet: TimerHandle | undefined;
  #longest: TimerHandle | undefined;
  #changed = '';
  #closed = false;
  #isIncomplete = false;

  constructor(options: SourceWatchOptions) {
    this.#options = options;
  }

  /** What is not there yet is noticed when it comes. */
  async start(): Promise<void> {
    const { paths, cwd, onIncomplete } = this.#options;
    for (const path of paths) this.#patterns.push(patternOf(resolve(cwd, path)));
    for (const [index, { folder }] of this.#patterns.entries()) {
      if (!(await exists(folder))) onIncomplete(`there is nothing at ${paths[index]} yet`);
      // From above: a build may remove the whole folder and make it anew.
      await this.#follow(await nearest(dirname(folder)));
    }
  }

  close(): void {
    this.#closed = true;
    this.#quiet?.cancel();
    this.#longest?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches a folder, and what in it concerns us. */
  async #follow(folder: string): Promise<void> {
    if (this.#closed || this.#watchers.has(folder)) return;
    if (this.#watchers.size >= maxWatchedFolders)
      return this.#incomplete(`only ${maxWatchedFolders} folders are watched`);
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => this.#heard(folder, event, name));
      watcher.on('error', () => this.#drop(folder)); // It was removed; its parent tells.
      this.#watchers.set(folder, watcher);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return; // Gone again.
      return this.#incomplete(`${folder} cannot be watched (${systemCode(error)})`);
    }
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && this.#concerns(join(folder, entry.name))) await this.#follow(join(folder, entry.name));
    }
  }

  /** Whether it is a folder that was asked for, in one, or on the way to one. */
  #concerns(path: string): boolean {
    return this.#patterns.some(
      ({ folder }) =>
        path === folder ||
        folder.startsWith(path + sep) ||
        (path.startsWith(folder + sep) && isWorthIt(basename(path))),
    );
  }

  #heard(folder: string, event: string, name: string | null): void {
    if (this.#closed || name === null) return;
    const file = join(folder, name);
    // A folder that is new is watched, and what is in it already counts as new.
    if (event === 'rename' && this.#concerns(file)) void this.#followIfFolder(file);
    if (this.#patterns.some((pattern) => pattern.matches(file))) this.#noteChange(file);
  }

  async #followIfFolder(path: string): Promise<void> {
    // It came, went, or another one is in its place, which the watch of the old one does not see.
    this.#drop(path);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory() || this.#closed) return;
    await this.#follow(path);
    const names = await readdir(path, { recursive: true }).catch(() => []);
    const file = names
      .map((name) => join(path, name))
      .find((each) => this.#patterns.some(({ matches }) => matches(each)));
    if (file !== undefined && !this.#closed) this.#noteChange(file);
  }

  #noteChange(file: string): void {
    this.#changed = file;
    this.#quiet?.cancel();
    this.#quiet = this.#options.clock.after(watchTimes.quietMs, () => this.#tell());
    this.#longest ??= this.#options.clock.after(watchTimes.longestMs, () => this.#tell());
  }

  #tell(): void {
    this.#quiet?.cancel();
    this.#longest?.cancel();
    this.#longest = undefined;
    this.#options.onChange(this.#changed);
  }

  /** With all that is in it. */
  #drop(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }

  #incomplete(why: string): void {
    if (this.#isIncomplete) return;
    this.#isIncomplete = true;
    this.#options.onIncomplete(why);
  }
}

function isWorthIt(name: string): boolean {
  return !name.startsWith('.') && name !== 'node_modules';
}

function patternOf(path: string): Pattern {
  const wildcard = firstWildcard(path);
  if (wildcard === path.length)
    return { folder: path, matches: (file) => file === path || file.startsWith(path + sep) };
  const folder = resolve(path.slice(0, wildcard).replace(/[^/\\]*$/, ''));
  const expression = wildcards(relative(folder, path).split(sep).join('/'));
  return { folder, matches: (file) => expression.test(relative(folder, file).split(sep).join('/')) };
}

async function nearest(folder: string): Promise<string> {
  return (await exists(folder)) || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function firstWildcard(path: string): number {
  const at = path.search(/[*?]/);
  return at < 0 ? path.length : at;
}

function wildcards(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (token) => {
    if (token === '**/') return '(?:[^/]+/)*';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    return token === '?' ? '[^/]' : `\\${token}`;
  });
  return new RegExp(`^${source}$`);
}
