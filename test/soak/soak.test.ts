// The long soak: a server is killed every second under a hundred sessions.
import { describe, expect, it } from 'vitest';
import { soakWell } from './expectations.ts';

/** Resident memory that may come with each call once it is warm; what is kept of traffic is bounded and full by then. */
const maxKibPerCall = 1;

describe('a server that is killed every second', () => {
  it.each(['stdio', 'http'] as const)('costs agents nothing over %s', async (upstream) => {
    const { memory } = await soakWell({
      upstream,
      sessions: 100,
      callsPerSession: 200,
      atOnce: 20,
      killEvery: { ms: 1_000 },
    });
    expect(memory.kibPerCall).toBeLessThan(maxKibPerCall);
  });
});
