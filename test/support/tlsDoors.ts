// The three ways in that TLS guards, each as an address and a name: the connectors' door, enrolment, and a tunnel.
import type { Serve } from '../../src/carriers/carrier.ts';
import { enrolmentHandler } from '../../src/edge/enrolment.ts';
import { silentEdgeLog } from '../../src/edge/edgeLog.ts';
import { CountingClock, expectNothingLeft } from './leaks.ts';
import { aWorld, domain, openTunnel, startEdge } from './relay.ts';

export type Doors = { port: number; connect: string; enroll: string; tunnel: string };

const hello: Serve = (_request, response) => void (response as NodeJS.WritableStream).end('hello');

export async function tlsDoors(): Promise<Doors> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  // A scanner comes from one address, again and again.
  const limits = {
    handshakesPerSecondPerAddress: 10_000,
    handshakeBurstPerAddress: 10_000,
    visitorsPerSecond: 10_000,
    visitorBurst: 10_000,
  };
  const here = await aWorld({ limits }, clock);
  const enrolment = enrolmentHandler(here.state, { clock, log: silentEdgeLog });
  const edge = await startEdge(here.state, { clock, log: silentEdgeLog, enrolment, limits });
  const { hostname } = await openTunnel({ ...here, edge }, hello);
  return { port: edge.port, connect: `connect.${domain}`, enroll: `enroll.${domain}`, tunnel: hostname };
}
