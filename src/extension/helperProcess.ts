// The helper as a child process: JSON lines over stdin and stdout, stderr to the log. It ends when its stdin closes,
// so a killed editor leaves none behind.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { LineSplitter } from '../core/lines.ts';
import type { Port } from '../protocol/port.ts';
import type { HelperChild } from './helperLink.ts';

/** Longest line the helper may send; one over it is dropped whole and logged. The details of a call are the longest. */
export const maxHelperLineBytes = 32 * 1024 * 1024;
/** What may wait for a helper that does not read; at this it is killed, and started again like one that crashed. */
export const maxUnreadBytes = 16 * 1024 * 1024;
const maxLogLineBytes = 64 * 1024;

export type HelperProcessOptions = {
  /** Absolute path of the Node (or Electron) that runs the helper. */
  runtime: string;
  /** `dist/helper.js`. */
  script: string;
  env: NodeJS.ProcessEnv;
  onLog: (line: string) => void;
};

export function startHelperProcess(options: HelperProcessOptions): HelperChild {
  const child = spawn(options.runtime, [options.script], {
    cwd: dirname(options.script), // Never the workspace's folder.
    env: helperEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const kill = (): void => void child.kill('SIGKILL');
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', (error) => {
      options.onLog(`${options.runtime} could not be started: ${error.message}`);
      resolve(null);
    });
  });
  const log = lines(maxLogLineBytes, options.onLog, options.onLog);
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  child.stdin.on('error', () => {}); // EPIPE of a helper that ended: `exited` tells it.
  return { port: stdioPort(child.stdin, child.stdout, exited, options.onLog, kill), exited, kill };
}

/** The editor's environment without what would change how the helper's runtime behaves. */
function helperEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _theEditors, ...rest } = env;
  return { ...rest, ELECTRON_RUN_AS_NODE: '1' };
}

function stdioPort(
  stdin: Writable,
  stdout: NodeJS.ReadableStream,
  exited: Promise<unknown>,
  onLog: (line: string) => void,
  kill: () => void,
): Port {
  return {
    send(text) {
      if (stdin.writableEnded) return;
      stdin.write(`${text}\n`);
      if (stdin.writableLength > maxUnreadBytes) kill();
    },
    onMessage(receive) {
      const messages = lines(maxHelperLineBytes, receive, onLog);
      stdout.on('data', (chunk: Buffer) => messages.push(chunk));
    },
    onClose: (closed) => void exited.then(closed),
    close: () => void stdin.end(),
  };
}

function lines(maxLineBytes: number, onLine: (line: string) => void, onLog: (line: string) => void): LineSplitter {
  return new LineSplitter({ maxLineBytes, onLine, onOverlong: (error) => onLog(error.message) });
}
