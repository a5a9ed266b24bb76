// Files whose change means that a server was rebuilt. Folders are watched one by one, so that what is large and never
// hand-written (node_modules, dot folders) costs nothing, and the number of them is bounded on every system.
import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';

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
  /** More folders than are watched, or the system allows no more. */
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

  /** Throws `USAGE` for a path at which there is nothing. */
  async start(): Promise<void> {
    for (const path of this.#options.paths)
      this.#patterns.push(await patternOf(resolve(this.#options.cwd, path), path));
    for (const { folder } of this.#patterns) await this.#follow(folder);
  }

  close(): void {
    this.#closed = true;
    this.#quiet?.cancel();
    this.#longest?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches a folder and all that is in it. */
  async #follow(folder: string): Promise<void> {
    if (this.#closed || this.#watchers.has(folder)) return;
    if (this.#watchers.size >= maxWatchedFolders)
      return this.#incomplete(`only ${maxWatchedFolders} folders are watched`);
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#heard(folder, name));
      watcher.on('error', () => this.#drop(folder)); // It was removed; its parent tells.
      this.#watchers.set(folder, watcher);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return; // Gone again.
      return this.#incomplete(`${folder} cannot be watched (${systemCode(error)})`);
    }
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && isWorthIt(entry.name)) await this.#follow(join(folder, entry.name));
    }
  }

  #heard(folder: string, name: string | null): void {
    if (this.#closed || name === null) return;
    const file = join(folder, name);
    // A folder that is new is watched, and what is in it already counts as new.
    if (isWorthIt(name)) void this.#followIfFolder(file);
    if (this.#patterns.some((pattern) => pattern.matches(file))) this.#noteChange(file);
  }

  async #followIfFolder(path: string): Promise<void> {
    const found = await stat(path).catch(() => undefined);
    if (!found) this.#drop(path);
    if (!found?.isDirectory() || this.#closed || this.#watchers.has(path)) return;
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

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
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

async function patternOf(path: string, given: string): Promise<Pattern> {
  const fixed = path.slice(0, firstWildcard(path)).replace(/[^/\\]*$/, '');
  const isPattern = firstWildcard(path) < path.length;
  const found = await stat(isPattern ? fixed : path).catch(() => undefined);
  if (!found) throw new TunnelError('USAGE', `there is nothing to watch at ${given}`);
  if (isPattern) {
    const folder = resolve(fixed);
    const expression = wildcards(relative(folder, path).split(sep).join('/'));
    return { folder, matches: (file) => expression.test(relative(folder, file).split(sep).join('/')) };
  }
  // A file is watched through its folder: editors and compilers put another one in its place.
  if (found.isFile())
    return {
      folder: dirname(path),
      matches: (file) => basename(file) === basename(path) && dirname(file) === dirname(path),
    };
  return { folder: path, matches: (file) => file.startsWith(path + sep) };
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
