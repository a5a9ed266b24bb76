// Every suite, in front of both kinds of upstream, through both kinds of tunnel: what the suite says of the server is
// what it says without a tunnel.
import { describe, expect, it } from 'vitest';
import { withInstallMs } from '../support/peerTools.ts';
import { exceptions } from './exceptions.ts';
import { table } from './parity.ts';
import { suites } from './suites.ts';
import { compareThroughTunnels } from './throughTunnels.ts';

describe('the conformance suite says of a server behind a tunnel what it says of the server', () => {
  it.each(Object.values(suites))('$name', { timeout: withInstallMs + 600_000 }, async (suite) => {
    const comparisons = await compareThroughTunnels(suite, [
      { carrier: 'embedded', upstream: 'http' },
      { carrier: 'embedded', upstream: 'stdio' },
      { carrier: 'edge', upstream: 'http' },
      { carrier: 'edge', upstream: 'stdio' },
    ]);
    process.stdout.write(`${table(comparisons)}\n`);
    const wrong = comparisons.flatMap(({ differences, stale }) => [...differences, ...stale]);
    expect(wrong, table(comparisons)).toEqual([]);
  });

  it('and every exception says why', () => {
    expect(exceptions.filter(({ reason }) => reason.length < 20)).toEqual([]);
  });
});
