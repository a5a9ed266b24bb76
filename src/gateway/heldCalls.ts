// Calls that wait until a person agrees. Each ends once: by an answer, at its deadline, when nobody is left who could
// answer, or when its agent has gone. All but the person's own words for it mean no.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Breakpoint, HeldCall, HoldAnswer, Holds } from '../mcp/heldCall.ts';
import {
  breakpointName,
  checkBreakpoints,
  type BreakpointCall,
  type CheckedBreakpoint,
} from '../policy/breakpoints.ts';

/** Held at the same time; the next one is denied. */
export const maxHeld = { ofTunnel: 32, ofPrincipal: 8, inAll: 100, bytes: 16 * 1024 * 1024 };

/** Nothing is held longer, whatever its client's patience. */
export const longestHoldMs = 600_000;

/** Characters of what a person tells an agent. */
const maxMessageLength = 2_000;

/** How a call's wait ended. `Edited` is the call as it became. */
export type HoldEnd<Edited> =
  | { kind: 'continue'; edited?: Edited }
  | { kind: 'deny'; reason: string }
  | { kind: 'mock'; result: JsonObject }
  /** Nobody waits for its answer any more. */
  | { kind: 'gone' };

export type Wanted<Edited> = Pick<
  HeldCall,
  'tunnel' | 'exchange' | 'agent' | 'tool' | 'arguments' | 'isWhole' | 'rule'
> & {
  principal: string;
  bytes: number;
  lastsMs: number;
  /** The call with other arguments; throws where they cannot be sent. */
  edit: (args: JsonObject) => Edited;
  /** Calls back once, when the agent has gone. */
  onGone: (callback: () => void) => void;
};

type Entry = {
  shown: HeldCall;
  principal: string;
  bytes: number;
  answer: (answer: HoldAnswer) => void;
  end: (reason: string) => void;
};

export class HeldCalls {
  readonly #clock: Clock;
  readonly #held = new Map<string, Entry>();
  /** By whoever set them: they go with it. */
  readonly #breakpoints = new Map<object, CheckedBreakpoint[]>();
  readonly #answerers = new Set<object>();
  readonly #changed = new Emitter<void>();

  readonly onChange = this.#changed.on;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): Holds {
    return {
      held: [...this.#held.values()].map(({ shown }) => shown),
      breakpoints: [...this.#breakpoints.values()].flat().map(({ spec }) => spec),
    };
  }

  /** From now on `driver` can answer. */
  answerBy(driver: object): void {
    this.#answerers.add(driver);
  }

  /** In place of those that it had set before. Throws `USAGE`. */
  setBreakpoints(driver: object, specs: readonly Breakpoint[]): void {
    const checked = checkBreakpoints(specs);
    if (checked.length === 0) this.#breakpoints.delete(driver);
    else this.#breakpoints.set(driver, checked);
    this.#changed.emit();
  }

  /** What it set is gone; where nobody else can answer, what is held is denied. */
  leave(driver: object): void {
    this.#answerers.delete(driver);
    if (this.#breakpoints.delete(driver)) this.#changed.emit();
    if (this.#answerers.size > 0) return;
    for (const { end } of this.#held.values()) end('whoever could have agreed to this call has left');
  }

  get hasBreakpoints(): boolean {
    return this.#breakpoints.size > 0;
  }

  /** The breakpoint that holds this call; one that was for the next call alone is used up. */
  breakpointAt(call: BreakpointCall): string | undefined {
    for (const [driver, all] of this.#breakpoints) {
      const hit = all.find(({ matches }) => matches(call));
      if (!hit) continue;
      if (hit.spec.once) {
        const rest = all.filter((one) => one !== hit);
        if (rest.length > 0) this.#breakpoints.set(driver, rest);
        else this.#breakpoints.delete(driver);
        this.#changed.emit();
      }
      return breakpointName(hit.spec);
    }
    return undefined;
  }

  /** Never rejects. */
  hold<Edited>(wanted: Wanted<Edited>): Promise<HoldEnd<Edited>> {
    const { principal, bytes, lastsMs, edit, onGone, ...view } = wanted;
    const refusal = this.#refusal(wanted);
    if (refusal !== undefined) return Promise.resolve({ kind: 'deny', reason: refusal });
    const sinceMs = this.#clock.now();
    const shown: HeldCall = { ...view, id: randomUUID(), sinceMs, untilMs: sinceMs + lastsMs };
    return new Promise((resolve) => {
      const settle = (end: HoldEnd<Edited>): void => {
        if (!this.#held.delete(shown.id)) return;
        timer.cancel();
        resolve(end);
        this.#changed.emit();
      };
      const end = (reason: string): void => settle({ kind: 'deny', reason });
      const answer = (given: HoldAnswer): void => settle(ended(given, edit));
      const timer = this.#clock.after(lastsMs, () => end('nobody agreed to this call in time'));
      this.#held.set(shown.id, { shown, principal, bytes, answer, end });
      onGone(() => settle({ kind: 'gone' }));
      this.#changed.emit();
    });
  }

  /** Throws `NOT_FOUND` for what waits no longer, and as `edit` does; then the call is still held. */
  answer(id: string, answer: HoldAnswer): void {
    const entry = this.#held.get(id);
    if (!entry) throw new TunnelError('NOT_FOUND', 'this call waits no longer');
    if (!isAnswer(answer)) throw new TunnelError('USAGE', 'a call is continued, denied or mocked, with JSON objects');
    entry.answer(answer);
  }

  #refusal({ tunnel, principal, bytes }: Pick<Wanted<never>, 'tunnel' | 'principal' | 'bytes'>): string | undefined {
    if (this.#answerers.size === 0) return 'a person has to agree to this call, and nobody is there who could';
    const all = [...this.#held.values()];
    const held = all.reduce((sum, entry) => sum + entry.bytes, bytes);
    const isFull =
      all.length >= maxHeld.inAll ||
      held > maxHeld.bytes ||
      all.filter(({ shown }) => shown.tunnel === tunnel).length >= maxHeld.ofTunnel ||
      all.filter((entry) => entry.principal === principal).length >= maxHeld.ofPrincipal;
    return isFull ? 'a person has to agree to this call, and too many wait already; try again later' : undefined;
  }
}

/** It may come from another process. */
function isAnswer(answer: HoldAnswer): boolean {
  switch (answer.kind) {
    case 'continue':
      return answer.arguments === undefined || isJsonObject(answer.arguments);
    case 'deny':
      return answer.message === undefined || typeof answer.message === 'string';
    case 'mock':
      return isJsonObject(answer.result);
  }
  return false;
}

function ended<Edited>(answer: HoldAnswer, edit: (args: JsonObject) => Edited): HoldEnd<Edited> {
  switch (answer.kind) {
    case 'continue':
      return answer.arguments === undefined
        ? { kind: 'continue' }
        : { kind: 'continue', edited: edit(answer.arguments) };
    case 'deny': {
      const said =
        answer.message === undefined || answer.message === '' ? '' : `: ${answer.message.slice(0, maxMessageLength)}`;
      return { kind: 'deny', reason: `the developer denied this call${said}` };
    }
    case 'mock':
      return { kind: 'mock', result: answer.result };
  }
}
