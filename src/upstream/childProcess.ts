// Starts a server's command exactly as it was declared: no shell, its own process group, guarded against our own death.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { stat } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { findCommand } from './commandPath.ts';
import type { ProcessGuardian } from './processGuardian.ts';
import { endProcessTree, findStrays } from './processTree.ts';
import { serverEnvironment, type DeclaredEnvironment } from './serverEnvironment.ts';
import { programLine } from './windowsCommand.ts';

export type ServerCommand = { command: string; args: readonly string[]; env: DeclaredEnvironment; cwd: string };

export type ProcessTimes = {
  /** A server that is asked to end has this long after its stdin closed … */
  stdinMs: number;
  /** … then this long after SIGTERM … */
  termMs: number;
  /** … and after SIGKILL nobody waits longer than this. */
  killMs: number;
};

export const processTimes: ProcessTimes = { stdinMs: 500, termMs: 1_500, killMs: 1_000 };

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export class ServerProcess {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when it has ended and everything it wrote was delivered. */
  readonly exited: Promise<Exit>;
  readonly #clock: Clock;
  readonly #times: ProcessTimes;
  #hasExited = false;
  #ending: Promise<void> | undefined;

  constructor(
    child: ChildProcessByStdio<Writable, Readable, Readable>,
    unguard: () => void,
    clock: Clock,
    times: ProcessTimes,
  ) {
    this.pid = child.pid!;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.#clock = clock;
    this.#times = times;
    this.stdin.on('error', () => {}); // EPIPE: it has closed its stdin or ended; `exited` tells.
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#hasExited = true;
        // A grandchild may hold the pipes open: do not wait for 'close' alone.
        const settle = (): void => {
          timer.cancel();
          resolve({ code, signal });
        };
        const timer = clock.after(times.stdinMs, settle);
        child.once('close', settle);
        void this.end().finally(unguard);
      });
    });
  }

  /** Closes its stdin, waits, then ends the whole tree. Idempotent; resolves when nothing of it is left. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const strays = this.#hasExited ? [] : await findStrays(this.pid);
    this.stdin.end();
    if (!this.#hasExited) await this.#exitsWithin(this.#times.stdinMs);
    await endProcessTree(this.pid, () => this.#hasExited, strays, this.#clock, this.#times);
    await this.#exitsWithin(this.#times.killMs); // What it wrote last is still on its way.
    this.stdin.destroy();
    this.stdout.destroy();
    this.stderr.destroy();
  }

  #exitsWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, resolve);
      void this.exited.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

/** Throws `UPSTREAM_START` with one sentence on what is wrong with the command. */
export async function startServer(
  declared: ServerCommand,
  guardian: ProcessGuardian,
  clock: Clock,
  times: ProcessTimes = processTimes,
): Promise<ServerProcess> {
  const env = serverEnvironment(process.env, declared.env);
  await checkFolder(declared.cwd);
  const path = await findCommand({ command: declared.command, cwd: declared.cwd, env });
  const { file, args, verbatim } = programLine(path, declared.args);
  const expected = guardian.expect();
  try {
    const child = spawn(file, args, {
      cwd: declared.cwd,
      env: { ...env, ...expected.mark },
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      detached: process.platform !== 'win32',
      windowsHide: true,
      windowsVerbatimArguments: verbatim,
    });
    const failed = new Promise<Error>((resolve) => child.on('error', resolve));
    if (child.pid !== undefined) return new ServerProcess(child, expected.started(child.pid), clock, times);
    throw await failed;
  } catch (error) {
    expected.failed();
    const why = systemCode(error) ?? (error as Error).message;
    throw new TunnelError('UPSTREAM_START', `${path} could not be started (${why})`, { cause: error });
  }
}

async function checkFolder(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new TunnelError('UPSTREAM_START', `the server’s folder ${cwd} does not exist`);
}
