// What a visitor that another node handed on came for, by its own ClientHello: read, and put back in front.
import type { Clock } from '../core/clock.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import type { VisitorEnd } from './elsewhere.ts';
import { Opening } from './opening.ts';

export type PeekOptions = {
  limits: Pick<EdgeLimits, 'helloMs' | 'maxHelloBytes' | 'maxProxyHeaderBytes'>;
  clock: Clock;
};

/** Whether it is an authority's look at a name and nothing else; `false` also where it does not say so in time. Paused again then. */
export function asksForProof(visitor: VisitorEnd, { limits, clock }: PeekOptions): Promise<boolean> {
  const opening = new Opening({ limits, isProxied: false });
  return new Promise((resolve) => {
    const settle = (proven: boolean, back?: Buffer): void => {
      late.cancel();
      visitor.off('data', onData).off('end', giveUp).off('close', giveUp).pause();
      if (back) visitor.unshift(back); // Once paused: else it comes again at once.
      resolve(proven);
    };
    const onData = (chunk: Buffer): void => {
      const said = opening.add(chunk);
      if (said) settle(said.kind === 'hello' && said.isChallenge, said.kind === 'hello' ? said.rest : undefined);
    };
    const giveUp = (): void => settle(false);
    const late = clock.after(limits.helloMs, giveUp);
    visitor.on('data', onData).once('end', giveUp).once('close', giveUp);
  });
}
