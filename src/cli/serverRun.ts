// How `expose` has a command run: alone or shared, watched or not, and started anew when this process gets SIGUSR2.
import { resolve } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import type { ServerRun } from '../protocol/control.ts';
import type { CommandContext, OptionRow } from './command.ts';
import { repeated } from './optionParsers.ts';
import type { HelperPeer } from './ownHelper.ts';

export type RunOptions = { isolation?: string; watch?: string[]; replayReads?: boolean };

export const runOptions: readonly OptionRow[] = [
  {
    flags: '--isolation <kind>',
    help: 'of a command: perSession (each agent’s session a process of its own, the default) or shared (one for all)',
  },
  {
    flags: '--watch <path>',
    help: 'start the command anew when this file, folder or pattern changes; sessions stay (several times; SIGUSR2 too)',
    parse: repeated,
  },
  {
    flags: '--replay-reads',
    help: 'after a restart send calls again that only read, by the server’s own word (readOnlyHint, idempotentHint)',
  },
];

/** `undefined` where nothing is asked for. Throws `USAGE`. */
export function runOf(
  { folder }: CommandContext,
  { isolation, watch, replayReads }: RunOptions,
): ServerRun | undefined {
  if (isolation !== undefined && isolation !== 'perSession' && isolation !== 'shared') {
    throw new TunnelError('USAGE', `--isolation is perSession or shared, not “${isolation}”`);
  }
  if (isolation === undefined && watch === undefined && !replayReads) return undefined;
  return {
    ...(isolation === undefined ? {} : { isolation }),
    ...(watch === undefined ? {} : { watch: watch.map((path) => resolve(folder, path)) }),
    ...(replayReads ? { replaysReads: true } : {}),
  };
}

/** Until `signal`: SIGUSR2 starts the tunnel's server anew (not on Windows, which has no such signal). */
export function restartOnSignal(
  { output }: CommandContext,
  peer: HelperPeer,
  tunnel: string,
  signal: AbortSignal,
): void {
  const restart = (): void => {
    peer.request('server/restart', { tunnel }).catch((error: unknown) => {
      output.log({ text: error instanceof Error ? error.message : String(error), style: 'dim' });
    });
  };
  process.on('SIGUSR2', restart);
  signal.addEventListener('abort', () => process.off('SIGUSR2', restart), { once: true });
}
