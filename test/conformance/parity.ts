// The same server asked twice, directly and through a tunnel: where the verdicts differ, and which of that is known.
import type { Exception } from './exceptions.ts';
import { runScenario, runSuite, type Suite, type Verdicts } from './suites.ts';

export type UpstreamKind = 'http' | 'stdio';

export type Difference = { check: string; direct: string; tunnel: string; words: string };

export type Comparison = {
  suite: string;
  way: string;
  passed: number;
  failed: number;
  checks: number;
  /** Differences that are exceptions. */
  excepted: number;
  /** Those that are not. */
  differences: Difference[];
  /** Exceptions that did not show. */
  stale: string[];
};

/** The check whose stream is read for 600 ms only, and the scenario it is in. */
const hurried = 'server-stateless / sep-2575-http-server-no-independent-requests-on-stream';

export async function verdictsOf(suite: Suite, url: string): Promise<Verdicts> {
  const verdicts = await runSuite(suite, url);
  if (!verdicts.get(hurried)?.statuses.includes('FAILURE')) return verdicts;
  const again = await runScenario(suite, url, 'server-stateless');
  return new Map([...verdicts, ...[...again].filter(([check]) => check === hurried)]);
}

export function compare(
  { suite, way, upstream }: { suite: Suite; way: string; upstream: UpstreamKind },
  direct: Verdicts,
  tunnel: Verdicts,
  exceptions: readonly Exception[],
): Comparison {
  const differences = differencesOf(direct, tunnel);
  const known = exceptions.filter(
    (exception) => exception.upstream === upstream && exception.suites.includes(suite.name),
  );
  const unknown = differences.filter(({ check }) => !known.some((exception) => exception.check === check));
  return {
    suite: suite.name,
    way,
    ...totals(tunnel),
    excepted: differences.length - unknown.length,
    differences: unknown,
    stale: known.map(({ check }) => check).filter((check) => !differences.some((found) => found.check === check)),
  };
}

export function totals(verdicts: Verdicts): { passed: number; failed: number; checks: number } {
  const all = [...verdicts.values()].flatMap(({ statuses }) => statuses);
  const count = (status: string): number => all.filter((each) => each === status).length;
  return { passed: count('SUCCESS'), failed: count('FAILURE'), checks: all.length };
}

function differencesOf(direct: Verdicts, tunnel: Verdicts): Difference[] {
  const said = (verdicts: Verdicts, check: string): string => verdicts.get(check)?.statuses.join(' ') ?? 'not asked';
  return [...new Set([...direct.keys(), ...tunnel.keys()])]
    .map((check) => ({
      check,
      direct: said(direct, check),
      tunnel: said(tunnel, check),
      words: tunnel.get(check)?.words.join('; ') ?? '',
    }))
    .filter((each) => each.direct !== each.tunnel);
}

/** One line for each way, then every difference. */
export function table(comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(({ suite, way, passed, failed, checks, excepted, differences }) =>
    [
      suite.padEnd(40),
      way.padEnd(24),
      `${passed} passed`.padStart(11),
      `${failed} failed`.padStart(10),
      `${checks} checks`.padStart(11),
      differences.length === 0 ? '  identical' : `  ${differences.length} DIFFER`,
      excepted === 0 ? '' : `(but for ${excepted} exceptions)`,
    ].join(' '),
  );
  const details = comparisons.flatMap(({ suite, way, differences, stale }) => [
    ...differences.map(({ check, direct, tunnel, words }) =>
      [`  ${suite}, ${way}: ${check}: ${direct} → ${tunnel}`, ...(words === '' ? [] : [`      ${words}`])].join('\n'),
    ),
    ...stale.map((check) => `  ${suite}, ${way}: ${check}: differs no more; take it out of exceptions.ts`),
  ]);
  return [...lines, ...details].join('\n');
}
