// One call of the command in this process: its own state folder, its words in, what it wrote out.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { commands } from '../../../src/cli/commands.ts';
import { reportFailure } from '../../../src/cli/failure.ts';
import { Output } from '../../../src/cli/output.ts';
import { helpFor, runProgram } from '../../../src/cli/program.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import { statePaths, type StatePaths } from '../../../src/helper/statePaths.ts';

export type Ran = { code: number; out: string; err: string; events: Record<string, unknown>[] };
export type RunOptions = {
  stdin?: string;
  signal?: AbortSignal;
  urgent?: AbortSignal;
  onHangup?: (listener: () => void) => void;
  onOut?: (text: string) => void;
};

export class World {
  readonly folder: string;
  readonly paths: StatePaths;
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.folder = folder;
    this.env = { MCP_TUNNEL_HOME: join(folder, 'home'), HOME: join(folder, 'user'), USERPROFILE: join(folder, 'user') };
    this.paths = statePaths(this.env, process.platform, folder, { managedPolicy: join(folder, 'managed.json') });
  }

  static async make(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'mcpt-')));
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  async run(words: string[], options: RunOptions = {}): Promise<Ran> {
    const [out, err] = [capture(options.onOut), capture()];
    const { stdout, stderr } = { stdout: out.stream, stderr: err.stream };
    const json = words.includes('--json');
    const output = new Output({ stdout, stderr, json, colour: { stdout: false, stderr: false } });
    const frame = {
      output,
      paths: this.paths,
      files: new PrivateFileStore(),
      env: this.env,
      folder: this.folder,
      stdin: options.stdin === undefined ? new PassThrough().end() : Readable.from([Buffer.from(options.stdin)]),
      signal: options.signal ?? new AbortController().signal,
      urgent: options.urgent ?? new AbortController().signal,
      onHangup: (listener: () => void) => options.onHangup?.(listener),
      clock: systemClock,
      random: Math.random,
    };
    let code = 0;
    try {
      await runProgram(words, commands, frame, { write: (text) => stdout.write(text) });
    } catch (error) {
      code = reportFailure(error, output, false, helpFor(words, commands));
    }
    await output.flush();
    const lines = out
      .text()
      .split('\n')
      .filter((line) => line !== '');
    const events = json ? lines.map((line) => JSON.parse(line) as Record<string, unknown>) : [];
    return { code, out: out.text(), err: err.text(), events };
  }
}

export function capture(onText: (text: string) => void = () => {}): { stream: Writable; text: () => string } {
  let text = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _encoding, done) {
      text += String(chunk);
      onText(text);
      done();
    },
  });
  return { stream, text: () => text };
}
