// The long soak: a server is killed every second under a hundred sessions.
import { describe, expect, it } from 'vitest';
import { soakWell } from './expectations.ts';

/** What may be held more with each call once every bound is full: a row that was never let go of holds several times that. */
const maxKibPerCall = 0.5;

describe('a server that is killed every second', () => {
  it.each(['stdio', 'http'] as const)('costs agents nothing over %s', async (upstream) => {
    const { memory } = await soakWell({
      upstream,
      sessions: 100,
      callsPerSession: 200,
      atOnce: 20,
      killEvery: { ms: 1_000 },
    });
    expect(memory.held.kibPerCall).toBeLessThan(maxKibPerCall);
  });
});
