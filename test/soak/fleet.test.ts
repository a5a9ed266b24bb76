// A fleet of edges for long: a node, and NATS, twenty times each.
import { it } from 'vitest';
import { fleetCutKinds, fleetCutsWell } from '../cluster/fleetCuts.ts';

it.each(fleetCutKinds)('nobody reads a wrong byte and nobody hangs when the %s is killed twenty times', (kind) =>
  fleetCutsWell(kind, { times: 20, agentsPerNode: 4, callsBetween: 15 }),
);
