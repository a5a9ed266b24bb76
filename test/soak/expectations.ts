// What every soak must end with, short or long.
import { expect } from 'vitest';
import { report, soak, type SoakFigures, type SoakProfile } from './soak.ts';

export async function soakWell(profile: SoakProfile): Promise<SoakFigures> {
  const figures = await soak(profile);
  const told = report(`${profile.upstream}, ${profile.sessions} × ${profile.callsPerSession}`, figures);
  process.stdout.write(`${told}\n`);
  const calls = profile.sessions * profile.callsPerSession;
  expect(figures, told).toMatchObject({ calls, lost: [], duplicated: 0, unrecorded: 0, leaked: 0 });
  expect(figures.kills, told).toBeGreaterThan(0);
  return figures;
}
