import { expect, it } from 'vitest';
import { pairingNodes } from '../../../src/extension/pairingTree.ts';
import type { TunnelInfo } from '../../../src/protocol/control.ts';
import { english } from './english.ts';
import { nowMs, tunnel } from './samples.ts';

const rowOf = (changes: Partial<TunnelInfo>): string[] =>
  pairingNodes(tunnel(changes), nowMs, english).map(({ label, description }) => `${label}: ${description}`);

const pending = {
  name: 'Claude',
  redirectHost: 'claude.ai',
  local: false,
  scopes: [],
  untilMs: nowMs + 240_000,
  triesLeft: 3,
};

it('says nothing of a tunnel where nobody asked', () => {
  expect(rowOf({})).toEqual([]);
  expect(rowOf({ pairAttempts: 0 })).toEqual([]);
});

it('counts who came while nobody was there, in one row', () => {
  expect(rowOf({ pairAttempts: 1 })).toEqual(['1 attempt to be let in: while pairing was closed']);
  expect(rowOf({ pairAttempts: 7 })).toEqual(['7 attempts to be let in: while pairing was closed']);
});

it('says how long agents may ask, and who waits; a click goes on', () => {
  const pairing = { untilMs: nowMs + 240_000 };
  expect(rowOf({ pairAttempts: 2, pairing })).toEqual(['Agents may ask to be let in: for 4m more']);
  expect(rowOf({ pairAttempts: 2, pairing: { ...pairing, pending } })).toEqual([
    'Claude wants to be let in: claude.ai',
  ]);
  const [row] = pairingNodes(tunnel({ pairing }), nowMs, english);
  expect(row?.click).toEqual({ kind: 'command', command: 'mcpTunnel.pairAgent' });
});
