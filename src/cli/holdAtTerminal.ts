// Calls that wait for a person, answered on the terminal of `expose` one after the other. Without a terminal nobody here
// can answer, so they are denied at once, unless another driver of this helper can.
import { errorInfo } from '../core/errors.ts';
import type { HeldCall } from '../mcp/heldCall.ts';
import type { CommandContext } from './command.ts';
import type { HelperPeer } from './ownHelper.ts';

export type HoldOptions = {
  /** Patterns of tools whose calls wait, besides those that the policy asks about. */
  ask: readonly string[];
  /** The terminal is used for something else. */
  isBusy: boolean;
  over: AbortSignal;
};

/** Before the tunnel is open: its first call may be one that waits. Ends with `over`. */
export async function holdAtTerminal(context: CommandContext, peer: HelperPeer, options: HoldOptions): Promise<void> {
  const { output, stdin } = context;
  const { ask, isBusy, over } = options;
  let held: readonly HeldCall[] = [];
  const announced = new Set<string>();
  /** Ends the question about a call that waits no longer. */
  let asked: { id: string; stop: AbortController } | undefined;
  const canAnswer = stdin.isTTY === true && !isBusy;

  peer.on('holds/changed', (now) => {
    ({ held } = now);
    for (const { id, tunnel, agent, tool, rule, untilMs } of held) {
      if (announced.has(id)) continue;
      announced.add(id);
      output.event({ event: 'call-held', id, tunnel, agent, tool, rule, untilMs });
    }
    for (const id of announced) if (!held.some((call) => call.id === id)) announced.delete(id);
    if (asked && !announced.has(asked.id)) asked.stop.abort();
    if (canAnswer && !asked) void askAll();
  });

  const askAll = async (): Promise<void> => {
    for (let [call] = held; call && !over.aborted; [call] = held) {
      const stop = new AbortController();
      asked = { id: call.id, stop };
      await answer(call, AbortSignal.any([over, stop.signal]));
      held = held.filter(({ id }) => id !== asked?.id);
    }
    asked = undefined;
  };

  const answer = async (call: HeldCall, signal: AbortSignal): Promise<void> => {
    const goOn = output.hold();
    const asking = { input: stdin, output: output.questions, signal };
    let problem: string | undefined;
    try {
      const { askAboutCall } = await import('./holdPrompts.ts');
      while (!signal.aborted) {
        const given = await askAboutCall(call, context.clock.now(), problem, asking);
        if (signal.aborted) return;
        problem = await refusal(peer, call.id, given);
        if (problem === undefined) return;
      }
    } catch (error) {
      if (!signal.aborted) output.log({ text: errorInfo(error).message, style: 'red' });
    } finally {
      goOn();
    }
  };

  if (ask.length > 0) await peer.request('holds/breakpoints', { breakpoints: ask.map((tool) => ({ tool })) });
  if (canAnswer) await peer.request('holds/answering', {});
  else if (ask.length > 0) output.log('There is no terminal to answer on: calls that have to wait for you are denied.');
}

/** Why an edit cannot be sent; then the call still waits. */
async function refusal(
  peer: HelperPeer,
  id: string,
  answer: Parameters<typeof peer.request<'holds/answer'>>[1]['answer'],
): Promise<string | undefined> {
  try {
    await peer.request('holds/answer', { id, answer });
    return undefined;
  } catch (error) {
    const { code, message } = errorInfo(error);
    if (code === 'NOT_FOUND') return undefined;
    return message;
  }
}
