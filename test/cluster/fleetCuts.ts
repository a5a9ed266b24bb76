// A fleet under load, of which one node after the other is killed, or NATS: agents at every node check every byte.
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { startHashServer } from '../soak/cuts.ts';
import { HashingAgents, type HashFigures } from '../soak/hashingAgents.ts';
import { until } from '../support/until.ts';
import { Fleet, fleetDomain, readiness } from './fleet.ts';
import { tell } from './world.ts';

export const fleetCutKinds = ['node', 'NATS'] as const;
export type FleetCutKind = (typeof fleetCutKinds)[number];

export type FleetCuts = {
  times: number;
  agentsPerNode: number;
  /** So many are answered at each node before each kill, and while NATS is away. */
  callsBetween: number;
};

/** Kills it so many times; every body is hashed, nobody hangs, and every node answers again each time. */
export async function fleetCutsWell(
  kind: FleetCutKind,
  { times, agentsPerNode, callsBetween }: FleetCuts,
): Promise<void> {
  const fleet = await Fleet.start();
  const tunnel = await fleet.expose(await fleet.machine(), 'mine', ['--url', await startHashServer()]);
  const { token, caFile } = tunnel.ready;
  const ca = await readFile(caFile, 'utf8');
  const agents = fleet.nodes.map(
    ({ port }) => new HashingAgents([{ port, serverName: `mine.${fleetDomain}`, token, ca }], agentsPerNode),
  );
  const others: number[] = [];
  const back: number[] = [];
  for (let round = 0; round < times; round += 1) {
    await Promise.all(agents.map((one) => one.more(callsBetween)));
    if (kind === 'node') {
      const victim = round % fleet.nodes.length;
      await fleet.kill(victim);
      const survivors = agents.filter((_, index) => index !== victim);
      others.push(Math.max(...(await Promise.all(survivors.map((one) => one.recovery())))));
      await fleet.restart(victim);
      back.push(await agents[victim]!.recovery());
    } else {
      await fleet.nats.kill();
      for (const { health } of fleet.nodes) await until(async () => (await readiness(health))['registry'] === 'away');
      await Promise.all(agents.map((one) => one.more(callsBetween)));
      others.push(Math.max(...(await Promise.all(agents.map((one) => one.recovery())))));
      const began = performance.now();
      await fleet.nats.restart();
      await fleet.settled();
      back.push(performance.now() - began);
    }
  }
  const figures = await Promise.all(agents.map((one) => one.stop()));
  const all = figures.reduce(sum);
  const told = report(kind, times, all, { others, back });
  tell(told);
  expect(all, told).toMatchObject({ corrupt: [], stuck: [] });
  // Nobody is cut off because NATS is: what is established does not need it.
  if (kind === 'NATS') expect(all, told).toMatchObject({ cut: 0, turnedAway: 0 });
}

function report(
  kind: FleetCutKind,
  times: number,
  { answered, cut, turnedAway, corrupt, stuck }: HashFigures,
  { others, back }: { others: number[]; back: number[] },
): string {
  const calls = `${answered} calls answered and hashed, ${cut} cut off, ${turnedAway} turned away`;
  const wrong = `${corrupt.length} corrupt, ${stuck.length} stuck`;
  const again = kind === 'node' ? 'the node itself again after its start' : 'every node ready after NATS is back';
  return `${kind} killed ${times} times: ${calls}, ${wrong}; the others answered after ${range(others)}, ${again}: ${range(back)}`;
}

function range(figuresMs: number[]): string {
  const sorted = [...figuresMs].sort((left, right) => left - right).map(Math.round);
  return `${sorted[0]} to ${sorted.at(-1)} ms (median ${sorted[sorted.length >> 1]})`;
}

function sum(one: HashFigures, other: HashFigures): HashFigures {
  return {
    answered: one.answered + other.answered,
    cut: one.cut + other.cut,
    turnedAway: one.turnedAway + other.turnedAway,
    corrupt: [...one.corrupt, ...other.corrupt],
    stuck: [...one.stuck, ...other.stuck],
  };
}
