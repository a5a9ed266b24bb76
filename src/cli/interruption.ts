// How a running command is asked to end: Ctrl-C, SIGTERM, a closed terminal, or a reader of stdout that has gone.
// The first asks, so that everything is closed in order; a second Ctrl-C does not wait.
import { systemCode, TunnelError } from '../core/errors.ts';
import { exitCodes, type ExitCode } from './exitCodes.ts';

export type Interruption = {
  readonly signal: AbortSignal;
  /** The code to end with: 130 after Ctrl-C, 0 when the end was asked for otherwise; nothing when it was not. */
  readonly exitCode: ExitCode | undefined;
};

export function interruption(from: NodeJS.Process = process): Interruption {
  const controller = new AbortController();
  let exitCode: ExitCode | undefined;
  const ask = (code: ExitCode, why: string): void => {
    exitCode ??= code;
    controller.abort(new TunnelError('CANCELLED', why));
  };

  from.on('SIGINT', () => {
    if (controller.signal.aborted) from.exit(exitCodes.interrupted);
    ask(exitCodes.interrupted, 'it was interrupted');
  });
  for (const name of ['SIGTERM', 'SIGHUP'] as const) from.on(name, () => ask(exitCodes.done, 'it was told to end'));
  for (const stream of [from.stdout, from.stderr]) {
    stream.on('error', (error: unknown) => {
      // `mcp-tunnel servers | head`: the reader has what it wanted.
      if (systemCode(error) === 'EPIPE') ask(exitCodes.done, 'nobody reads its output any more');
    });
  }
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
