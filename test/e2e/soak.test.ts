// The soak in short, killing after a number of calls, so that as many are killed on any machine.
import { expect, it } from 'vitest';
import { soakWell } from '../soak/expectations.ts';

it.each(['stdio', 'http'] as const)(
  'a server that is killed again and again costs agents nothing over %s',
  async (upstream) => {
    const profile = { upstream, sessions: 10, callsPerSession: 20, atOnce: 5, killEvery: { calls: 20 } };
    const { kills } = await soakWell(profile);
    expect(kills).toBeGreaterThanOrEqual(8); // The last may find nobody any more.
  },
);
