// Cuts for long: each part of the way is killed twenty times under load.
import { it } from 'vitest';
import { cutKinds } from './cuts.ts';
import { cutWell } from './cutsExpectations.ts';

it.each(cutKinds)('nobody reads a wrong byte and nobody hangs when the %s is killed again and again', async (kind) => {
  await cutWell(kind, 20, 16);
});
