// A call that waits until a person agrees to it, as data: what is shown of it, what may be answered, and what makes calls
// wait. It crosses process borders as it is.
import type { JsonObject } from '../core/json.ts';

export type HeldCall = {
  id: string;
  tunnel: string;
  /** Its exchange, as the traffic log names it. */
  exchange: string;
  /** The agent's own word, or the name of its grant. */
  agent: string;
  tool: string;
  /** JSON, secrets taken out; cut at {@link maxShownArguments}. */
  arguments: string;
  /** `arguments` is all of it, as it was sent: only then can it be edited. */
  isWhole: boolean;
  /** The rule that asks, or the breakpoint. */
  rule: string;
  sinceMs: number;
  /** Then it is denied. */
  untilMs: number;
};

/** Characters. */
export const maxShownArguments = 16_384;

export type HoldAnswer =
  /** With other arguments where they are given. */
  | { kind: 'continue'; arguments?: JsonObject }
  /** `message` is for the agent. */
  | { kind: 'deny'; message?: string }
  /** The agent gets this result, and the server never hears of the call. */
  | { kind: 'mock'; result: JsonObject };

/** Holds calls of tools: every one that fits all of what is named here. */
export type Breakpoint = {
  tunnel?: string;
  /** Pattern of names (`*` is any text). */
  tool?: string;
  /** Pattern: what the agent calls itself, or the name of its grant. */
  agent?: string;
  /** JSON Schema (2020-12) that the arguments fulfil. */
  arguments?: JsonObject;
  /** The first call that fits, and then no other. */
  once?: boolean;
};

export type Holds = { held: HeldCall[]; breakpoints: Breakpoint[] };
