import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { maxAddresses, nextAttemptMs, openTcp, type TcpOptions } from '../../../src/tunnel/openTcp.ts';
import { freePort } from '../../support/freePort.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { stuckListener } from '../../support/stuckListener.ts';
import { until } from '../../support/until.ts';

async function listener(host: string, port = 0): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => {}))).listen({ host, port });
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const options = (addresses: readonly string[], more: Partial<TcpOptions> = {}): TcpOptions => ({
  lookup: async () => addresses,
  clock: systemClock,
  signal: new AbortController().signal,
  ...more,
});

async function addressReached(to: { host: string; port: number }, how: TcpOptions): Promise<string | undefined> {
  const socket = await openTcp(to, how);
  const { remoteAddress } = socket;
  socket.destroy();
  await once(socket, 'close');
  return remoteAddress;
}

describe('openTcp', () => {
  it('takes the next address when the first one hangs, after a moment and not after its time-out', async () => {
    const { port } = await listener('127.0.0.1');
    await stuckListener('127.0.0.2', port);
    const clock = new FakeClock();
    const reached = addressReached({ host: 'x', port }, options(['127.0.0.2', '127.0.0.1'], { clock }));
    await until(() => clock.pending === 1);
    clock.advance(nextAttemptMs - 1);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    expect(await reached).toBe('127.0.0.1');
    expect(clock.pending).toBe(0);
  });

  it('lets an attempt that is slow go on while the next ones are made', async () => {
    const { port } = await listener('127.0.0.1');
    await stuckListener('127.0.0.2', port);
    await stuckListener('127.0.0.3', port);
    const clock = new FakeClock();
    // All but the second hang: giving an attempt up when the next begins would still find it only by luck.
    const reached = addressReached({ host: 'x', port }, options(['127.0.0.2', '127.0.0.1', '127.0.0.3'], { clock }));
    await until(() => clock.pending === 1);
    clock.advance(2 * nextAttemptMs);
    expect(await reached).toBe('127.0.0.1');
  });

  it('goes on at once when an address refuses, and between the families in turn', async () => {
    const { port } = await listener('::1');
    expect(await addressReached({ host: 'x', port }, options(['127.0.0.1', '127.0.0.2', '::1']))).toBe('::1');
    expect(await addressReached({ host: 'localhost', port }, { clock: systemClock, signal: options([]).signal })).toBe(
      '::1',
    );
  });

  it('tells the reason of the first when all fail', async () => {
    const port = await freePort();
    await expect(openTcp({ host: 'x', port }, options(['127.0.0.1', '127.0.0.2']))).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('ends with the signal while all addresses hang, and leaves nothing', async () => {
    const { port } = await listener('127.0.0.1');
    await stuckListener('127.0.0.2', port);
    const clock = new FakeClock();
    const stop = new AbortController();
    const opening = openTcp({ host: 'x', port }, options(['127.0.0.2'], { clock, signal: stop.signal }));
    opening.catch(() => {});
    await until(() => clock.pending === 1);
    stop.abort(new Error('too late'));
    await expect(opening).rejects.toThrow('too late');
    expect(clock.pending).toBe(0);
    await expect(openTcp({ host: 'x', port }, options(['127.0.0.1'], { signal: stop.signal }))).rejects.toThrow('late');
  });

  it('does not wait for a resolver that hangs', async () => {
    const stop = new AbortController();
    const opening = openTcp(
      { host: 'x', port: 1 },
      options([], { lookup: () => new Promise(() => {}), signal: stop.signal }),
    );
    stop.abort(new Error('too late'));
    await expect(opening).rejects.toThrow('too late');
  });

  it('never connects to an address that is out of bounds', async () => {
    const { port, sockets } = await listener('127.0.0.1');
    const mayConnect = (address: string): boolean => address !== '127.0.0.1';
    for (const to of ['x', '127.0.0.1']) {
      await expect(openTcp({ host: to, port }, options(['127.0.0.1'], { mayConnect }))).rejects.toMatchObject({
        code: 'EACCES',
      });
    }
    expect(sockets).toHaveLength(0);
  });

  it('tries a bounded number of addresses', async () => {
    const asked: string[] = [];
    const many = Array.from({ length: 100 }, (_, index) => `127.0.1.${index + 1}`);
    const port = await freePort();
    await expect(
      openTcp({ host: 'x', port }, options(many, { mayConnect: (address) => asked.push(address) > 0 })),
    ).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(asked).toHaveLength(100);
    expect(maxAddresses).toBe(8);
  });
});
