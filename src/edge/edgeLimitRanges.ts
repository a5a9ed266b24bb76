// The least and the most that each limit may be set to: below, an edge would serve nobody; above, the number is a typing
// error or protects nothing. A limit without a line here has the range of its unit.
import { defaultEdgeLimits, type EdgeLimits } from './edgeLimits.ts';

type Range = readonly [least: number, most: number];

const mebibyte = 1 << 20;

const ownRanges: Partial<Record<keyof EdgeLimits, Range>> = {
  helloMs: [100, 60_000],
  handshakeMs: [100, 120_000],
  maxHelloBytes: [1024, 65_536],
  maxProxyHeaderBytes: [256, 65_536],
};

export const edgeLimitNames = Object.keys(defaultEdgeLimits) as readonly (keyof EdgeLimits)[];

export function edgeLimitRange(name: keyof EdgeLimits): Range {
  const own = ownRanges[name];
  if (own) return own;
  if (name.endsWith('Ms')) return [1000, 7 * 86_400_000];
  return name.includes('Bytes') ? [mebibyte, 65_536 * mebibyte] : [1, 1_000_000];
}
