// Cuts in short: each part of the way is killed three times under load.
import { it } from 'vitest';
import { cutKinds } from '../soak/cuts.ts';
import { cutWell } from '../soak/cutsExpectations.ts';

it.each(cutKinds)('nobody reads a wrong byte and nobody hangs when the %s is killed three times', async (kind) => {
  await cutWell(kind, 3, 8);
});
