// The comparison of verdicts in short: one requirement set in front of each kind of server. `npm run test:conformance`
// asks for all of them.
import { describe, expect, it } from 'vitest';
import { table } from '../conformance/parity.ts';
import { suites } from '../conformance/suites.ts';
import { compareThroughTunnels } from '../conformance/throughTunnels.ts';
import { withInstallMs } from '../support/peerTools.ts';

describe('the conformance suite says of a server behind a tunnel what it says of the server', () => {
  it.each([
    { suite: suites.legacy, upstream: 'stdio' },
    { suite: suites.modern, upstream: 'http' },
  ] as const)('$suite.name, over $upstream', { timeout: withInstallMs }, async ({ suite, upstream }) => {
    const comparisons = await compareThroughTunnels(suite, [{ carrier: 'embedded', upstream }]);
    const wrong = comparisons.flatMap(({ differences, stale }) => [...differences, ...stale]);
    expect(wrong, table(comparisons)).toEqual([]);
  });
});
