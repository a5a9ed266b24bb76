// What an edge promises under each kind of abuse: a good visitor is served with its own bytes all the while, and its
// memory has a bound. How long a visit takes is printed and not judged, because the machine is not ours alone.
import { expect } from 'vitest';
import { defaultEdgeLimits } from '../../src/edge/edgeLimits.ts';
import type { Target } from '../support/agents.ts';
import { AbusedEdge, domain } from './abusedEdge.ts';
import { halfOpen, neverRead, randomHellos, sayHellos, slowHttp, type SlowMode } from './abuses.ts';
import { realHellos } from './realHellos.ts';

const mebibyte = 1 << 20;

/** Of 5,000 sockets that say nothing, or 10,000 that say nonsense: at most 16 KiB each, and what collection leaves for later. */
const maxGrowthMib = 128;

async function world(): Promise<{ edge: AbusedEdge; target: Target }> {
  const edge = await AbusedEdge.start();
  const target = await edge.tunnel();
  await edge.goodVisits(target, 50); // Warm.
  return { edge, target };
}

export async function survivesHalfOpen(count: number): Promise<void> {
  const { edge, target } = await world();
  const { visits, grownMib } = await edge.under(`${count} half-open`, target, () => halfOpen(edge.port, count));
  expect(visits).toBeGreaterThan(0);
  expect(grownMib).toBeLessThan(maxGrowthMib);
}

export async function survivesHellos(count: number, options: { chromium?: boolean } = {}): Promise<void> {
  const { edge, target } = await world();
  const hellos = randomHellos(await realHellos(target.hostname, options), count, Date.now());
  const { visits, grownMib } = await edge.under(`${count} random hellos`, target, () => sayHellos(edge.port, hellos));
  expect(visits).toBeGreaterThan(0);
  expect(grownMib).toBeLessThan(maxGrowthMib);
}

export async function survivesSlowHttp(
  modes: readonly SlowMode[],
  connections: number,
  seconds: number,
): Promise<void> {
  const { edge, target } = await world();
  for (const hostname of [target.hostname, `enroll.${domain}`, `connect.${domain}`]) {
    for (const mode of modes) {
      let said = '';
      const { visits, grownMib } = await edge.under(`slowhttptest ${mode} at ${hostname}`, target, async () => {
        said = await slowHttp({ hostname, port: edge.port }, mode, connections, seconds);
      });
      expect(said).toContain('Test ended');
      expect(said).toMatch(/Hit test time limit|No open connections left/); // It was connected until then.
      expect(visits).toBeGreaterThan(0);
      expect(grownMib).toBeLessThan(maxGrowthMib);
    }
  }
}

/** What waits for readers is bounded for each connector; beside it there is what its links have in the air. */
export async function survivesNeverRead(count: number): Promise<void> {
  const { edge, target } = await world();
  let letGo = (): void => {};
  const { grownMib } = await edge.under(`${count} readers that never read`, target, async (isOver) => {
    letGo = await neverRead(target, count);
    while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  letGo();
  expect(grownMib).toBeLessThan((2 * defaultEdgeLimits.maxHeldBytesPerConnector) / mebibyte + maxGrowthMib);
}
