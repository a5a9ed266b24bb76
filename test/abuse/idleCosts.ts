// What the edge's process grows by for each visitor, and each link of a connector, on which nothing happens.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { TLSSocket } from 'node:tls';
import { connectAgent } from '../support/agents.ts';
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
  const empty = await settled(edge);
  const idle = await open(visitors);
  const full = await settled(edge);
  for (const socket of idle) socket.destroy();

  const openSessions = async (): Promise<void> => {
    for (let at = 0; at < sessions; at += 1) await edge.tunnel(`name-${at}`, 1);
  };
  await openSessions();
  await edge.closeTunnels();
  const before = await settled(edge);
  await openSessions();
  const after = await settled(edge);
  const visitorKib = (full - empty) / visitors / kibibyte;
  const sessionKib = (after - before) / sessions / kibibyte;
  process.stdout.write(`idle visitor ${visitorKib.toFixed(1)} KiB, idle session ${sessionKib.toFixed(1)} KiB\n`);
  expect(visitorKib).toBeLessThan(maxIdleVisitorKib);
  expect(sessionKib).toBeLessThan(maxIdleSessionKib);
}

/** The least of some looks: collection comes when it likes. */
async function settled(edge: AbusedEdge): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 20; look += 1) {
    await pause(250);
    least = Math.min(least, await edge.resident());
  }
  return least;
}
