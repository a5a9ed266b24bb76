// The conformance suites as programs that are given a URL, and what they say of each check.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peerTools, startPeer, type PeerTools } from '../support/peerTools.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

export type Suite = { name: string; program: 'conformance' | 'conformance01'; words: readonly string[] };

const requirements = (revision: string): Suite => ({
  name: `0.2.0-alpha.12, requirements of ${revision}`,
  program: 'conformance',
  words: ['--requirements', revision],
});

export const suites = {
  all: { name: '0.1.16, all scenarios', program: 'conformance01', words: ['--suite', 'all'] },
  legacy: requirements('2025-11-25'),
  modern: requirements('2026-07-28'),
} as const satisfies Record<string, Suite>;

export type Verdict = {
  /** One for each time the check was asked, in that order. */
  statuses: string[];
  /** What the suite said of the failures and warnings. */
  words: string[];
};

/** By `scenario / check`. */
export type Verdicts = ReadonlyMap<string, Verdict>;

export async function runSuite(suite: Suite, url: string): Promise<Verdicts> {
  return run(suite, url, suite.words);
}

/**
 * One scenario again. The modern suite reads one stream for 600 ms and takes what came until then for all there is, so
 * a machine that is busy at that moment makes a failure of it.
 */
export async function runScenario(suite: Suite, url: string, scenario: string): Promise<Verdicts> {
  return run(suite, url, ['--scenario', scenario, '--spec-version', '2026-07-28']);
}

async function run({ program }: Suite, url: string, words: readonly string[]): Promise<Verdicts> {
  const tools: PeerTools = await peerTools();
  const folder = await mkdtemp(join(await temporaryFolder(), 'verdicts-'));
  const peer = startPeer(tools.node, [tools[program], 'server', '--url', url, '-o', folder, ...words], {});
  await peer.ended; // Its code says that something failed; what failed is in the files.
  const verdicts = await readVerdicts(folder);
  if (verdicts.size === 0) throw new Error(`the suite said nothing of ${url}:\n${peer.said()}`);
  return verdicts;
}

type Check = { id: string; status: string; errorMessage?: string; specReferences?: unknown };

async function readVerdicts(folder: string): Promise<Verdicts> {
  const verdicts = new Map<string, Verdict>();
  for (const name of (await readdir(folder)).toSorted()) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name)?.[1] ?? name;
    for (const { id, status, errorMessage, specReferences } of await readChecks(join(folder, name, 'checks.json'))) {
      // Without a reference it is a line of the suite's own log.
      if (status === 'INFO' && specReferences === undefined) continue;
      const key = `${scenario} / ${id}`;
      const { statuses, words } = verdicts.get(key) ?? { statuses: [], words: [] };
      verdicts.set(key, {
        statuses: [...statuses, status],
        words: errorMessage === undefined ? words : [...words, errorMessage],
      });
    }
  }
  return verdicts;
}

/** A scenario that broke off has a folder and no checks in it. */
async function readChecks(file: string): Promise<Check[]> {
  if (!existsSync(file)) return [{ id: 'ran to its end', status: 'FAILURE' }];
  return JSON.parse(await readFile(file, 'utf8')) as Check[];
}
