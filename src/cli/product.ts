// dist/helper.js: the whole product once. As a process of its own it is the helper, over stdin and stdout;
// required by dist/cli.js it is the command.
import { homedir } from 'node:os';
import { systemClock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { runHelper } from '../helper/main.ts';
import { PrivateFileStore } from '../helper/privateFiles.ts';
import { statePaths } from '../helper/statePaths.ts';
import { commands } from './commands.ts';
import { exitCodes, type ExitCode } from './exitCodes.ts';
import { reportFailure } from './failure.ts';
import { interruption } from './interruption.ts';
import { Output, showsColour } from './output.ts';
import { helpFor, runProgram } from './program.ts';

/** How long the last words may take to leave when their reader does not read. */
const flushTimeoutMs = 2_000;

/** The command, from `process.argv` to the end of the process. */
export async function runCli(argv: readonly string[]): Promise<void> {
  const { env, stdin, stdout, stderr } = process;
  const words = argv.slice(2);
  const output = new Output({
    stdout,
    stderr,
    json: words.slice(0, words.includes('--') ? words.indexOf('--') : undefined).includes('--json'),
    colour: { stdout: showsColour(stdout, env), stderr: showsColour(stderr, env) },
  });
  const debug = env['MCP_TUNNEL_DEBUG'] === '1';
  const interrupted = interruption();
  const help = helpFor(words, commands);

  // A fault that no command saw must end in a sentence, too.
  const onStray = (error: unknown): void => finish(reportFailure(error, output, debug, help));
  process.on('uncaughtException', onStray).on('unhandledRejection', onStray);

  const finish = (code: ExitCode): void => {
    process.exitCode = code;
    const late = setTimeout(() => process.exit(code), flushTimeoutMs);
    void output.flush().then(() => (clearTimeout(late), process.exit(code)));
  };

  try {
    const paths = statePaths(env, process.platform, homedir());
    const { signal, urgent, onHangup } = interrupted;
    const files = new PrivateFileStore();
    const frame = {
      output,
      paths,
      files,
      env,
      folder: currentFolder(),
      stdin,
      signal,
      urgent,
      onHangup,
      clock: systemClock,
      random: Math.random,
    };
    await runProgram(words, commands, frame, { write: (text) => stdout.write(text) });
    finish(interrupted.exitCode ?? exitCodes.done);
  } catch (error) {
    const wasInterrupted = interrupted.signal.aborted && isCancelled(error);
    finish(wasInterrupted ? (interrupted.exitCode ?? exitCodes.done) : reportFailure(error, output, debug, help));
  }
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new TunnelError('USAGE', 'the current folder no longer exists; change to another one', { cause });
  }
}

function isCancelled(error: unknown): boolean {
  if (error instanceof TunnelError) return error.code === 'CANCELLED' || error.code === 'CLOSED';
  return error instanceof Error && error.name === 'AbortError'; // What Node and undici throw when a signal ends their work.
}

if (require.main === module) runHelper();
