import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindingOf, RequestStates } from '../../../../src/upstream/eras/requestStates.ts';
import { FakeClock } from '../../../support/fakeClock.ts';

const binding = bindingOf('alice', 'tools/call', { name: 'x', arguments: { a: 1, b: [2] } });

function aState(): { clock: FakeClock; states: RequestStates; state: string } {
  const clock = new FakeClock();
  const states = new RequestStates(clock);
  return { clock, states, state: states.mint({ call: 'c1', round: 2, expiresMs: clock.now() + 1_000 }, binding) };
}

describe('RequestStates', () => {
  it('knows its own state again', () => {
    const { states, state } = aState();
    expect(states.verify(state, binding)).toEqual({ kind: 'good', call: 'c1', round: 2 });
  });

  it('takes no state in which a character was changed, added or left out', () => {
    const { states, state } = aState();
    fc.assert(
      fc.property(fc.nat(state.length - 1), fc.string(), (at, other) => {
        fc.pre(other !== state[at]);
        expect(states.verify(state.slice(0, at) + other + state.slice(at + 1), binding).kind).toBe('forged');
      }),
    );
  });

  it.each([
    ['another principal', bindingOf('mallory', 'tools/call', { name: 'x', arguments: { a: 1, b: [2] } })],
    ['another tool', bindingOf('alice', 'tools/call', { name: 'y', arguments: { a: 1, b: [2] } })],
    ['other arguments', bindingOf('alice', 'tools/call', { name: 'x', arguments: { a: 1, b: ['2'] } })],
    ['another method', bindingOf('alice', 'prompts/get', { name: 'x', arguments: { a: 1, b: [2] } })],
  ])('takes it for no call of %s', (_what, other) => {
    const { states, state } = aState();
    expect(states.verify(state, other).kind).toBe('forged');
  });

  it('takes no state of another process', () => {
    const { clock, state } = aState();
    expect(new RequestStates(clock).verify(state, binding).kind).toBe('forged');
  });

  it('takes none that is too old', () => {
    const { clock, states, state } = aState();
    clock.advance(1_000);
    expect(states.verify(state, binding).kind).toBe('expired');
  });

  it('binds a call whatever the order of its keys, its _meta and its answers', () => {
    const retry = { arguments: { b: [2], a: 1 }, name: 'x', _meta: { a: 1 }, inputResponses: {}, requestState: 's' };
    expect(bindingOf('alice', 'tools/call', retry)).toBe(binding);
  });
});
