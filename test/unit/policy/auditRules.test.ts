import { describe, expect, it } from 'vitest';
import { mergePolicies, type PolicyOrigin } from '../../../src/policy/mergedPolicy.ts';
import { parsePolicy } from '../../../src/policy/policyFile.ts';

type Audit = { sync?: string; values?: boolean };

function merged(files: Partial<Record<PolicyOrigin, Audit>>): object {
  return mergePolicies(
    Object.entries(files).map(([origin, audit]) => ({
      origin: origin as PolicyOrigin,
      file: origin,
      kind: 'read' as const,
      policy: parsePolicy(JSON.stringify({ version: 1, audit }), origin),
    })),
  ).audit;
}

describe('audit rules', () => {
  it.each<[Partial<Record<PolicyOrigin, Audit>>, object]>([
    [{}, { sync: 'interval', values: false }],
    [{ user: {} }, { sync: 'interval', values: false }],
    [{ user: { sync: 'always' } }, { sync: 'always', values: false }],
    [
      { user: { sync: 'interval' }, managed: { sync: 'always' } },
      { sync: 'always', values: false },
    ],
    [{ workspace: { sync: 'always' } }, { sync: 'always', values: false }],
    [{ user: { values: true } }, { sync: 'interval', values: true }],
    [{ managed: { values: true } }, { sync: 'interval', values: true }],
    [
      { user: { values: true }, managed: { values: false } },
      { sync: 'interval', values: false },
    ],
    [
      { user: { values: true }, workspace: { values: false } },
      { sync: 'interval', values: false },
    ],
    [{ workspace: { values: true } }, { sync: 'interval', values: false }],
    [
      { workspace: { values: true }, user: { values: true } },
      { sync: 'interval', values: true },
    ],
  ])('%j is %j', (files, rules) => {
    expect(merged(files)).toEqual(rules);
  });

  it('a file with a typo in them is refused', () => {
    expect(() => merged({ user: { sync: 'sometimes' } })).toThrow(/audit\.sync/);
  });
});
