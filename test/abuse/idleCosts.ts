// What the edge's process grows by for each visitor, and each link of a connector, on which nothing happens.
import { once } from 'node:events';
import { expect } from 'vitest';
import type { TLSSocket } from 'node:tls';
import { connectAgent } from '../support/agents.ts';
import type { MemorySample } from '../soak/memory.ts';
import { AbusedEdge } from './abusedEdge.ts';

const kibibyte = 1024;

const maxIdleVisitorKib = 60;
const maxIdleSessionKib = 100;

export async function printIdleCosts({ visitors, sessions }: { visitors: number; sessions: number }): Promise<void> {
  const edge = await AbusedEdge.start();
  const target = await edge.tunnel('first-name');
  const open = async (count: number): Promise<TLSSocket[]> => {
    const sockets: TLSSocket[] = [];
    for (let at = 0; at < count; at += 1) {
      const socket = connectAgent(target, { localAddress: `127.0.1.${1 + (at % 200)}` } as object);
      await once(socket, 'secureConnect');
      sockets.push(socket);
    }
    return sockets;
  };
  // Room that was made once and is used again is no cost of one more.
  for (const socket of await open(visitors)) socket.destroy();
  await edge.goodVisits(target, 50);
  const empty = await edge.held();
  const idle = await open(visitors);
  const full = await edge.held();
  for (const socket of idle) socket.destroy();

  const openSessions = async (): Promise<void> => {
    for (let at = 0; at < sessions; at += 1) await edge.tunnel(`name-${at}`, 1);
  };
  await openSessions();
  await edge.closeTunnels();
  const before = await edge.held();
  await openSessions();
  const after = await edge.held();
  const visitor = costOf(empty, full, visitors);
  const session = costOf(before, after, sessions);
  process.stdout.write(`idle visitor ${visitor.told}, idle session ${session.told}\n`);
  expect(visitor.heldKib).toBeLessThan(maxIdleVisitorKib);
  expect(session.heldKib).toBeLessThan(maxIdleSessionKib);
}

/** Judged by what is alive; what is resident also holds gaps and the libraries' own memory, and is told beside it. */
function costOf(before: MemorySample, after: MemorySample, count: number): { heldKib: number; told: string } {
  const heldKib = (after.heldBytes - before.heldBytes) / count / kibibyte;
  const residentKib = (after.residentBytes - before.residentBytes) / count / kibibyte;
  return { heldKib, told: `${heldKib.toFixed(1)} KiB (resident ${residentKib.toFixed(1)})` };
}
