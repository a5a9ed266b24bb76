// Letting agents in from the terminal of `expose --oauth`: the key p opens pairing for five minutes, and who asks
// meanwhile is answered here. Without a terminal another driver of this helper can do the same.
import { emitKeypressEvents } from 'node:readline';
import type { Readable } from 'node:stream';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { PendingPairing } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import type { HelperPeer } from './ownHelper.ts';
import type { Asking } from './pairPrompts.ts';

type Terminal = Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => void };

/** Ends with `over`. */
export function pairAtTerminal(context: CommandContext, peer: HelperPeer, tunnel: string, over: AbortSignal): void {
  const { output, clock } = context;
  const stdin: Terminal = context.stdin;
  peer.on('pair/pending', ({ pending }) => {
    const { name, redirectHost, local } = pending;
    output.event({ event: 'pair-pending', tunnel, name, redirectHost, local });
    if (stdin.isTTY) void answer(pending);
  });
  let waiting = new AbortController();
  peer.on('pair/ended', ({ outcome, name }) => {
    output.event({ event: 'pair-ended', tunnel, outcome, name });
    waiting.abort();
    output.log(`Pairing with “${name}”: ${ENDED[outcome]}`);
  });
  if (!stdin.isTTY) return output.log('There is no terminal to answer on: agents that ask to be let in wait in vain.');

  const keys = (on: boolean): void => {
    stdin.setRawMode?.(on);
    stdin[on ? 'on' : 'off']('keypress', onKey);
    if (on) stdin.resume();
  };
  const onKey = (_text: string | undefined, key: { name?: string; ctrl?: boolean }): void => {
    // A terminal that hands over each key hands over this one, too, instead of interrupting us.
    if (key.ctrl && key.name === 'c') process.emit('SIGINT');
    else if (key.name === 'p') void open();
  };
  const open = async (): Promise<void> => {
    await peer.request('pair/open', { tunnel });
    output.log('Agents may ask for the next five minutes. Connect yours now: its browser page shows a number.');
  };

  const answer = async (pending: PendingPairing): Promise<void> => {
    waiting = new AbortController();
    keys(false);
    const goOn = output.hold();
    try {
      const asking = { input: stdin, output: output.questions, signal: AbortSignal.any([over, waiting.signal]) };
      await ask(peer, tunnel, pending, asking, clock.now.bind(clock));
    } catch (error) {
      if (!over.aborted && !waiting.signal.aborted) output.log({ text: errorInfo(error).message, style: 'red' });
    } finally {
      goOn();
      if (!over.aborted) keys(true);
    }
  };

  emitKeypressEvents(stdin);
  keys(true);
  over.addEventListener('abort', () => keys(false), { once: true });
  output.log('Press p to let an agent in that cannot be given a token.');
}

async function ask(
  peer: HelperPeer,
  tunnel: string,
  pending: PendingPairing,
  asking: Asking,
  now: () => number,
): Promise<void> {
  const { askNumber, askTerms } = await import('./pairPrompts.ts');
  const terms = await askTerms(pending, asking);
  let message = 'The number that the browser shows';
  while (!asking.signal.aborted) {
    const number = terms && (await askNumber(message, asking));
    if (asking.signal.aborted) return;
    if (terms === undefined || number === undefined)
      return void (await peer.request('pair/answer', { tunnel, deny: true }));
    try {
      const expiresMs = now() + terms.lastsMs;
      return void (await peer.request('pair/answer', { tunnel, number, scope: terms.scope, expiresMs }));
    } catch (error) {
      const left = error instanceof TunnelError && error.code === 'CONFLICT' ? error.data?.['triesLeft'] : 0;
      if (!left) throw error;
      message = `That is not it. The number that the browser shows (${JSON.stringify(left)} more)`;
    }
  }
}

const ENDED = {
  approved: 'it was let in.',
  denied: 'you said no.',
  'wrong-number': 'denied, because the number was wrong three times.',
  abandoned: 'its browser has gone.',
  closed: 'the time is over.',
} as const;
