// Edge and connector of different age: the framing is the best that both know, and the edge's preference decides.
import { expect, it, onTestFinished } from 'vitest';
import { certificateTools } from '../../src/certs/certificateTools.ts';
import { connectorAlpn, type Framing } from '../../src/protocol/edge.ts';
import { dialEdge } from '../../src/tunnel/dialEdge.ts';
import { knownFramings, openConnectorLink } from '../../src/wire/framings.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled } from '../support/relay.ts';

const both = knownFramings;

it.each<[edge: readonly Framing[], connector: readonly Framing[], chosen: Framing]>([
  [both, both, 'frames'],
  [['http2'], both, 'http2'],
  [both, ['http2'], 'http2'],
  [['http2', 'frames'], both, 'http2'],
  [both, ['http2', 'frames'], 'frames'],
])('an edge that knows %s and a connector that knows %s agree on %s', async (edge, connector, chosen) => {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const world = await aWorld({ framings: edge }, clock);
  const identity = await enrolled(world.state, world.edge.port);
  const options = { identity, mayDial: () => {}, certs: certificateTools, clock, framings: connector };
  const socket = await dialEdge(options, new AbortController().signal);
  expect(socket.alpnProtocol).toBe(connectorAlpn[chosen]);
  const link = openConnectorLink(socket, { clock, onStream: () => {} });
  onTestFinished(() => link.close());
  const control = (await link.control).start();
  const { hostname } = await control.request('route/claim', { label: 'every', instance: 'i', run: 'r' });
  expect(hostname).toBe('every.edge.test');
});

it('an edge and a connector that know nothing in common do not connect', async () => {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const world = await aWorld({ framings: ['http2'] }, clock);
  const identity = await enrolled(world.state, world.edge.port);
  const options = { identity, mayDial: () => {}, certs: certificateTools, clock, framings: ['frames'] as const };
  await expect(dialEdge(options, new AbortController().signal)).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
});
