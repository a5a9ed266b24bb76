import { describe, expect, it } from 'vitest';
import { AgentsSeen, maxAgents } from '../../../src/gateway/agentsSeen.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const visitor = '203.0.113.7';
const by = (name: string) => ({ grant: `g_${name}`, name });

describe('agents seen', () => {
  it('are told apart by what they call themselves and by their grant', () => {
    const clock = new FakeClock();
    const seen = new AgentsSeen(clock);
    seen.called('claude', by('work'), visitor);
    seen.called('claude', by('home'), visitor);
    clock.advance(5);
    seen.called('claude', by('work'), visitor);
    seen.refused('claude', by('home'), visitor);
    expect(seen.list()).toEqual([
      { name: 'claude', grant: { id: 'g_work', name: 'work' }, visitor, calls: 2, refused: 0, lastCallMs: clock.now() },
      {
        name: 'claude',
        grant: { id: 'g_home', name: 'home' },
        visitor,
        calls: 1,
        refused: 1,
        lastCallMs: clock.now() - 5,
      },
    ]);
  });

  it('are shown with the address that they called from last', () => {
    const seen = new AgentsSeen(new FakeClock());
    seen.called('a', by('g'), '203.0.113.7');
    seen.refused('a', by('g'), '198.51.100.9');
    expect(seen.list()[0]?.visitor).toBe('198.51.100.9');
  });

  it('count the calls of the last minute, and forget those before', () => {
    const clock = new FakeClock();
    const seen = new AgentsSeen(clock);
    for (let call = 0; call < 3; call += 1) seen.called('a', by('g'), visitor);
    clock.advance(59_999);
    expect(seen.callsPerMinute).toBe(3);
    seen.called('a', by('g'), visitor);
    clock.advance(1);
    expect(seen.callsPerMinute).toBe(1);
  });

  it('call without end and hold no more memory for it', () => {
    const seen = new AgentsSeen(new FakeClock());
    for (let call = 0; call < 20_000; call += 1) seen.called('a', by('g'), visitor);
    expect(seen.callsPerMinute).toBe(10_000);
    expect(seen.list()[0]?.calls).toBe(20_000);
  });

  it('push out none of another grant, however many names one takes', () => {
    const seen = new AgentsSeen(new FakeClock());
    seen.refused('quiet', by('other'), visitor);
    for (let name = 0; name < 2 * maxAgents; name += 1) seen.called(`n${name}`, by('loud'), visitor);
    expect(seen.list()).toHaveLength(maxAgents);
    expect(seen.list().find(({ name }) => name === 'quiet')).toMatchObject({ refused: 1 });
    expect(seen.list().at(-1)?.name).toBe(`n${2 * maxAgents - 1}`);
  });

  it(`are ${maxAgents} at most: the one silent for longest makes room`, () => {
    const seen = new AgentsSeen(new FakeClock());
    for (let agent = 0; agent < maxAgents; agent += 1) seen.called(`a${agent}`, by('g'), visitor);
    seen.called('a0', by('g'), visitor);
    seen.called('new', by('g'), visitor);
    const names = seen.list().map(({ name }) => name);
    expect(names).toHaveLength(maxAgents);
    expect([names.includes('a0'), names.includes('a1'), names.includes('new')]).toEqual([true, false, true]);
  });

  it('were answered when an answer reached them, not when they called', () => {
    const clock = new FakeClock();
    const seen = new AgentsSeen(clock);
    seen.called('a', by('g'), visitor);
    expect(seen.lastAnswerMs).toBeUndefined();
    clock.advance(7);
    seen.answered();
    expect(seen.lastAnswerMs).toBe(clock.now());
  });
});
