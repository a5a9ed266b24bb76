// One suite, asked of the fixture directly and then through tunnels opened by the built command.
import { onTestFinished } from 'vitest';
import { AgentAdapter } from '../support/agentAdapter.ts';
import { bothErasCommand, startBothEras } from '../support/bothEras.ts';
import { expose, overHttp, overStdio, type Carrier } from '../support/exposed.ts';
import { exceptions } from './exceptions.ts';
import { compare, totals, verdictsOf, type Comparison, type UpstreamKind } from './parity.ts';
import type { Suite } from './suites.ts';

export type Way = { carrier: Carrier; upstream: UpstreamKind };

/** The first comparison is the server with itself: what was said of it directly. */
export async function compareThroughTunnels(suite: Suite, ways: readonly Way[]): Promise<Comparison[]> {
  const { url } = await startBothEras();
  const direct = await verdictsOf(suite, url);
  const comparisons: Comparison[] = [
    { suite: suite.name, way: 'direct', ...totals(direct), excepted: 0, differences: [], stale: [] },
  ];
  for (const { carrier, upstream } of ways) {
    const { ready, command } = await expose(
      upstream === 'http' ? overHttp(url) : overStdio(bothErasCommand()),
      carrier,
    );
    const adapter = await AgentAdapter.to(ready);
    onTestFinished(() => adapter.close());
    const through = await verdictsOf(suite, adapter.url);
    const way = `${carrier}, over ${upstream}`;
    comparisons.push(compare({ suite, way, upstream }, direct, through, exceptions));
    await command.stop();
  }
  return comparisons;
}
