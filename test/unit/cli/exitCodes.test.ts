import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exitCodes.ts';
import { advice } from '../../../src/core/advice.ts';

describe('exit codes', () => {
  it('are those of the contract, one for each error there is', () => {
    expect(Object.keys(exitCodeOf).sort()).toEqual(Object.keys(advice).sort());
    for (const code of Object.values(exitCodeOf)) expect([2, 3, 4, 5, 130]).toContain(code);
  });

  it('tell usage, policy, carrier, upstream and interruption apart', () => {
    expect([exitCodeOf.USAGE, exitCodeOf.DESTINATION_DENIED, exitCodeOf.EDGE_UNREACHABLE]).toEqual([2, 3, 4]);
    expect([exitCodeOf.UPSTREAM_START, exitCodeOf.CANCELLED]).toEqual([5, 130]);
  });
});

describe('advice', () => {
  it('is one sentence for each error', () => {
    for (const sentence of Object.values(advice)) expect(sentence).toMatch(/^[A-Z“].*\.$/);
  });
});
