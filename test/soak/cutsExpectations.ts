// What every soak of cuts must end with, short or long.
import { expect } from 'vitest';
import { cutsUnderLoad, type CutKind, type CutsFigures } from './cuts.ts';

export async function cutWell(kind: CutKind, times: number, atOnce: number): Promise<CutsFigures> {
  const figures = await cutsUnderLoad(kind, times, atOnce);
  const told = report(kind, figures);
  process.stdout.write(`${told}\n`);
  expect(figures, told).toMatchObject({ corrupt: [], stuck: [] });
  expect(figures.answered, told).toBeGreaterThan(times);
  return figures;
}

function report(
  kind: CutKind,
  { answered, cut, turnedAway, corrupt, stuck, kills, recoveriesMs }: CutsFigures,
): string {
  const sorted = [...recoveriesMs].sort((left, right) => left - right).map(Math.round);
  const recovery = `answered again after ${sorted[0]} to ${sorted.at(-1)} ms, median ${sorted[sorted.length >> 1]} ms`;
  const calls = `${answered} calls answered and hashed, ${cut} cut off, ${turnedAway} turned away`;
  return `${kind} killed ${kills} times: ${calls}, ${corrupt.length} corrupt, ${stuck.length} stuck; ${recovery}`;
}
