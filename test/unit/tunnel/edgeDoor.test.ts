import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { doorTimeoutMs, openDoor, type DoorOptions } from '../../../src/tunnel/edgeDoor.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { anAuthority } from '../../support/certs.ts';
import { openEnrolmentDoor } from '../../support/enrolmentDoor.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const options = (port: number, more: Partial<DoorOptions> = {}): DoorOptions => ({
  edge: { host: 'edge.example.com', port },
  door: 'enroll',
  alpn: ['http/1.1'],
  at: { host: '127.0.0.1', port },
  certs: certificateTools,
  clock: systemClock,
  signal: new AbortController().signal,
  ...more,
});

/** Accepts TCP and hands over the sockets; says nothing by itself. */
async function aListener(): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    sockets.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe('openDoor', () => {
  it('finds an edge below localhost without DNS', async () => {
    const authority = await anAuthority();
    const { publicKey, privateKeyPem } = await makeKeyPair();
    const certificatePem = authority.issueServer({ names: ['enroll.tunnel.localhost'], publicKey, days: 1 });
    const door = await openEnrolmentDoor(() => {}, { keyPem: privateKeyPem, certificatePem });
    const { at: _none, ...named } = options(door.port, { trusted: [authority.certificatePem] });
    const socket = await openDoor({ ...named, edge: { host: 'tunnel.localhost', port: door.port } });
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, 'TLSv1.3']);
    socket.destroy();
    await once(socket, 'close');
  });

  it('says that nothing listens', async () => {
    const { port } = await aListener();
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const free = (closed.address() as AddressInfo).port;
    closed.close();
    await once(closed, 'close');
    expect(free).not.toBe(port);
    await expect(openDoor(options(free))).rejects.toMatchObject({
      code: 'EDGE_UNREACHABLE',
      retryable: true,
      message: `the edge edge.example.com:${free} cannot be reached: nothing listens there: check the port and that the edge runs`,
    });
  });

  it('says that the other side closed before it showed who it is', async () => {
    const { port, sockets } = await aListener();
    const opening = openDoor(options(port));
    opening.catch(() => {});
    await expect.poll(() => sockets.length).toBe(1);
    sockets[0]?.end();
    await expect(opening).rejects.toThrow('check that it is an edge and serves that domain');
  });

  it('gives up on a side that never answers', async () => {
    const { port, sockets } = await aListener();
    const clock = new FakeClock();
    const opening = openDoor(options(port, { clock }));
    opening.catch(() => {});
    await expect.poll(() => sockets.length).toBe(1);
    clock.advance(doorTimeoutMs);
    await expect(opening).rejects.toThrow('it does not answer');
    expect(clock.pending).toBe(0);
    await once(sockets[0] as Socket, 'close');
  });

  it('stops when it is told to, before and during the dial', async () => {
    const { port, sockets } = await aListener();
    const controller = new AbortController();
    const opening = openDoor(options(port, { signal: controller.signal }));
    opening.catch(() => {});
    await expect.poll(() => sockets.length).toBe(1);
    const reason = new TunnelError('CANCELLED', 'stopped');
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await expect(openDoor(options(port, { signal: controller.signal }))).rejects.toBe(reason);
    expect(sockets).toHaveLength(1);
  });
});
