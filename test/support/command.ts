// The built command as processes of their own, each test in a state folder of its own. Whatever a test starts is ended
// with it; what was printed is told when something that should come does not.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

export const root = join(import.meta.dirname, '..', '..');
export const everythingPath = join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
/** The reference server over stdio, as a command line. */
export const everything = [process.execPath, everythingPath, 'stdio'] as const;

export type Line = { event: string } & Record<string, unknown>;
export type Ended = { code: number | null; signal: string | null };

export type StartOptions = {
  home: string;
  cwd?: string;
  input?: string;
  env?: Record<string, string>;
  /** Words in front of the command, as `PrivateNetwork.within` gives them. */
  within?: (cwd: string) => readonly string[];
};

export class RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #ended: Ended | undefined;

  constructor(words: readonly string[], { home, cwd = home, input, env, within }: StartOptions) {
    const whole = [...(within?.(cwd) ?? []), process.execPath, join(root, 'dist/cli.js'), ...words];
    this.child = spawn(whole[0]!, whole.slice(1), {
      cwd,
      env: { ...process.env, MCP_TUNNEL_HOME: home, HOME: home, NO_COLOR: '1', ...env },
      stdio: 'pipe',
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')));
    this.child.stdin?.on('error', () => {}); // A command that reads nothing may be gone before it is written to.
    this.child.stdin?.end(input ?? '');
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.#ended = { code, signal };
        resolve(this.#ended);
      });
    });
    onTestFinished(async () => {
      if (!this.#ended) this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** What was printed with `--json`, line by line. */
  lines(): Line[] {
    const whole = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  }

  /** The first line that `wanted` holds for; fails when the command ends without it. */
  async line(wanted: string | ((line: Line) => boolean), withinMs = 20_000): Promise<Line> {
    const test = typeof wanted === 'string' ? (line: Line) => line.event === wanted : wanted;
    const find = (): Line | undefined => this.lines().find(test);
    await until(
      () => find() !== undefined || this.#ended !== undefined,
      withinMs,
      () => `no such line\n${this.#said()}`,
    );
    const found = find();
    if (!found) throw new Error(`it ended with ${JSON.stringify(this.#ended)} instead\n${this.#said()}`);
    return found;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  #said(): string {
    return `stdout: ${this.stdout.slice(-2_000)}\nstderr: ${this.stderr.slice(-2_000)}`;
  }
}

export function startCommand(words: readonly string[], options: StartOptions): RunningCommand {
  return new RunningCommand(words, options);
}

/** Runs a command to its end. */
export async function runCommand(
  words: readonly string[],
  options: StartOptions,
): Promise<Ended & { stdout: string; stderr: string; lines: Line[] }> {
  const command = new RunningCommand(words, options);
  const ended = await command.ended;
  const { stdout, stderr } = command;
  return { ...ended, stdout, stderr, lines: words.includes('--json') ? command.lines() : [] };
}

/** What `expose --json` says when agents can reach it. */
export type Ready = {
  tunnel: string;
  server: string;
  hostname: string;
  url: string;
  loopbackUrl: string;
  token: string;
  caFile: string;
  privacy: string;
  readyMs: number;
};

export async function exposeEverything(
  home: string,
  options: readonly string[] = [],
): Promise<{ command: RunningCommand; ready: Ready }> {
  const command = startCommand(['expose', '--json', ...options, '--', ...everything], { home });
  return { command, ready: (await command.line('ready')) as unknown as Ready };
}
