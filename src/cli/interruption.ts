// How a running command is asked to end: Ctrl-C, SIGTERM, a closed terminal, or a reader of stdout that has gone.
// The first asks, so that everything is closed in order; Ctrl-C and a second SIGTERM say that nobody waits for what
// goes on, and a second Ctrl-C does not wait at all. A command that can read its settings anew takes SIGHUP for that.
import { systemCode, TunnelError } from '../core/errors.ts';
import { exitCodes, type ExitCode } from './exitCodes.ts';

export type Interruption = {
  readonly signal: AbortSignal;
  /** Aborted, with `signal` or after it, when what is under way is not to be waited for. */
  readonly urgent: AbortSignal;
  /** The code to end with: 130 after Ctrl-C, 0 when the end was asked for otherwise; nothing when it was not. */
  readonly exitCode: ExitCode | undefined;
  /** From now on SIGHUP calls `listener` and ends nothing. */
  readonly onHangup: (listener: () => void) => void;
};

export function interruption(from: NodeJS.Process = process): Interruption {
  const controller = new AbortController();
  const urgent = new AbortController();
  let hangup: (() => void) | undefined;
  let exitCode: ExitCode | undefined;
  const ask = (code: ExitCode, why: string): void => {
    exitCode ??= code;
    // Before `signal`: whoever hears of that looks here.
    if (code === exitCodes.interrupted || controller.signal.aborted) urgent.abort();
    controller.abort(new TunnelError('CANCELLED', why));
  };

  from.on('SIGINT', () => {
    if (controller.signal.aborted) from.exit(exitCodes.interrupted);
    ask(exitCodes.interrupted, 'it was interrupted');
  });
  from.on('SIGTERM', () => ask(exitCodes.done, 'it was told to end'));
  from.on('SIGHUP', () => (hangup ? hangup() : ask(exitCodes.done, 'it was told to end')));
  for (const stream of [from.stdout, from.stderr]) {
    stream.on('error', (error: unknown) => {
      // `mcp-tunnel servers | head`: the reader has what it wanted.
      // EIO: the terminal has gone.
      if (systemCode(error) === 'EPIPE' || systemCode(error) === 'EIO')
        ask(exitCodes.done, 'nobody reads its output any more');
    });
  }
  return {
    signal: controller.signal,
    urgent: urgent.signal,
    onHangup: (listener) => void (hangup = listener),
    get exitCode() {
      return exitCode;
    },
  };
}
