// A little world with a real edge, a machine that is enrolled at it, and real connectors between them.
import { onTestFinished } from 'vitest';
import type { CarrierOptions, OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { edgeCarrier } from '../../src/carriers/edge.ts';
import type { Outbound } from '../../src/carriers/outbound.ts';
import type { Authority } from '../../src/certs/authority.ts';
import { connectorUri } from '../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import type { Clock } from '../../src/core/clock.ts';
import { Edge, type EdgeOptions } from '../../src/edge/edge.ts';
import type { EdgeStore } from '../../src/edge/edgeAuthority.ts';
import { EdgeState } from '../../src/edge/edgeState.ts';
import type { EdgeIdentity } from '../../src/tunnel/edgeIdentity.ts';
import type { EdgeLog } from '../../src/edge/edgeLog.ts';
import { anAuthority } from './certs.ts';
import { recordingLog } from './edgeLogs.ts';
import { CountingClock } from './leaks.ts';
import { MemoryFiles } from './memoryFiles.ts';

export const domain = 'edge.test';

export type World = {
  edge: Edge;
  state: EdgeState;
  clock: CountingClock;
  /** The local CA of the machine that serves. */
  authority: Authority;
  log: string[];
};

export async function aWorld(options: Partial<EdgeOptions> = {}, clock = new CountingClock()): Promise<World> {
  const log: string[] = [];
  const state = await EdgeState.load({ files: new MemoryFiles(), folder: '/edge', domain, clock });
  const edge = await startEdge(state, { clock, log: recordingLog(log), ...options });
  return { edge, state, clock, log, authority: await anAuthority({ commonName: 'Local CA' }) };
}

export async function startEdge(
  state: EdgeState,
  options: Partial<EdgeOptions> & { clock: Clock; log: EdgeLog },
): Promise<Edge> {
  const edge = await Edge.start({ state, domain, listen: { host: '127.0.0.1', port: 0 }, ...options });
  onTestFinished(() => edge.close());
  return edge;
}

/** What gives out certificates: an edge's own state, or one that several nodes share. */
type Enroller = Pick<EdgeStore, 'authority' | 'mintToken' | 'spendToken'>;

/** A machine that may connect, as enrolment leaves it. */
export async function enrolled(state: Enroller, port: number): Promise<EdgeIdentity> {
  const key = await makeKeyPair();
  const { connector, expiresMs } = await state.spendToken((await state.mintToken()).token);
  const uri = connectorUri(connector);
  return {
    version: 1,
    domain,
    port,
    address: '127.0.0.1',
    connector,
    key: key.privateKeyPem,
    certificate: state.authority.issueClient({ uri, publicKey: key.publicKey, days: 30 }),
    ca: state.authority.certificatePem,
    expiresMs,
  };
}

export type Opening = Partial<CarrierOptions> & {
  identity?: EdgeIdentity;
  signal?: AbortSignal;
  random?: () => number;
  links?: number;
  outbound?: Outbound;
};

/** A tunnel through the world's edge. */
export async function openTunnel(
  world: Pick<World, 'edge' | 'clock' | 'log' | 'authority'> & { state: Enroller },
  serve: Serve,
  opening: Opening = {},
): Promise<OpenCarrier> {
  const identity = opening.identity ?? (await enrolled(world.state, world.edge.port));
  const { authority, clock, log } = world;
  const random = opening.random ?? Math.random;
  const links = opening.links === undefined ? {} : { links: opening.links };
  const carrier = edgeCarrier({
    identity: async () => identity,
    authority,
    caFile: '/ca.pem',
    clock,
    random,
    ...links,
    ...(opening.outbound ? { outbound: opening.outbound } : {}),
  });
  const open = await carrier.open(
    {
      label: 'everything-x7k2',
      instance: 'instance-1',
      portIsFixed: false,
      serve,
      mayDial: () => {},
      log: (line) => void log.push(line),
      ...opening,
    },
    opening.signal ?? new AbortController().signal,
  );
  onTestFinished(() => open.close());
  return open;
}
