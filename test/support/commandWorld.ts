// The built command as processes, with a state folder and a working folder of their own.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const cli = resolve('dist/cli.js');

export type Ended = { code: number | null; out: string; err: string; events: Record<string, unknown>[] };

export type Started = {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The first line of JSON on stdout; rejects with stderr when the process ends before. */
  first: Promise<Record<string, unknown>>;
  ended: Promise<Ended>;
};

export class CommandWorld {
  readonly folder: string;
  readonly home: string;
  readonly #running = new Set<Started>();

  private constructor(root: string) {
    this.folder = join(root, 'work');
    this.home = join(root, 'home');
  }

  static async make(): Promise<CommandWorld> {
    const world = new CommandWorld(await mkdtemp(join(tmpdir(), 'mcpt-')));
    await mkdir(world.folder);
    return world;
  }

  async put(path: string, content: string | object): Promise<void> {
    const file = join(this.folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  }

  start(words: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
    const child = spawn(process.execPath, [cli, ...words], {
      cwd: this.folder,
      env: { ...process.env, MCP_TUNNEL_HOME: this.home, HOME: this.home, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {}); // A command that reads no input may be gone before it is written.
    const texts = { out: '', err: '' };
    const first = new Promise<Record<string, unknown>>((settle, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        texts.out += text;
        const end = texts.out.indexOf('\n');
        if (end >= 0 && texts.out.startsWith('{'))
          settle(JSON.parse(texts.out.slice(0, end)) as Record<string, unknown>);
      });
      child.once('close', () => reject(new Error(texts.err)));
    });
    first.catch(() => {}); // Not everybody waits for it.
    child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text));
    const ended = new Promise<Ended>((settle) => {
      child.once('close', (code) => {
        this.#running.delete(started);
        settle({ code, ...texts, events: words.includes('--json') ? parseLines(texts.out) : [] });
      });
    });
    const started: Started = { child, first, ended };
    this.#running.add(started);
    return started;
  }

  run(
    words: readonly string[],
    { stdin = '', env = {} }: { stdin?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ended> {
    const { child, ended } = this.start(words, env);
    child.stdin.end(stdin);
    return ended;
  }

  /** Ends what still runs and removes the folders. */
  async close(): Promise<void> {
    const running = [...this.#running];
    for (const { child } of running) child.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    await rm(dirname(this.folder), { recursive: true });
  }
}

/** Every line must be an object: that is the contract of `--json`. */
function parseLines(out: string): Record<string, unknown>[] {
  const lines = out.split('\n');
  if (lines.pop() !== '') throw new Error('stdout does not end with a line feed');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
