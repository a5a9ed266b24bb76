// `requestState` of a call that waits for its agent's answers. It travels through the agent, so it is signed with a key
// of this process and bound to who made which call; it says which call waits, and nothing that is worth reading.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { isJsonObject, type JsonValue } from '../../core/json.ts';

/** Longer than any that is made here; a longer one is not looked at. */
const maxStateLength = 512;

export type StateOf = { call: string; round: number; expiresMs: number };
export type Verified = { kind: 'good'; call: string; round: number } | { kind: 'forged' } | { kind: 'expired' };

export class RequestStates {
  readonly #clock: Clock;
  readonly #key = randomBytes(32);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mint({ call, round, expiresMs }: StateOf, binding: string): string {
    const body = `v1.${call}.${round}.${expiresMs}`;
    return `${body}.${this.#seal(body, binding)}`;
  }

  verify(state: string, binding: string): Verified {
    const parts = state.length > maxStateLength ? [] : state.split('.');
    const [version, call, round, expiresMs, seal] = parts;
    if (parts.length !== 5 || version !== 'v1') return { kind: 'forged' };
    const expected = Buffer.from(this.#seal(parts.slice(0, 4).join('.'), binding));
    const given = Buffer.from(seal!);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { kind: 'forged' };
    if (Number(expiresMs) <= this.#clock.now()) return { kind: 'expired' };
    return { kind: 'good', call: call!, round: Number(round) };
  }

  #seal(body: string, binding: string): string {
    return createHmac('sha256', this.#key).update(`${body}\0${binding}`).digest('base64url');
  }
}

/** Who makes which call, with which arguments: a retry must be the same but for its id, `_meta` and answers. */
export function bindingOf(principal: string, method: string, params: JsonValue | undefined): string {
  const { _meta: _own, inputResponses: _answers, requestState: _state, ...asked } = isJsonObject(params) ? params : {};
  return createHash('sha256')
    .update(JSON.stringify([principal, method, sorted(asked)]))
    .digest('base64url');
}

/** The same value whatever the order of its keys. */
export function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, sorted(member)]);
}
