// When a connector dials again and when it gives up: real links over a TLS pair, time and the dialling in our hands.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { TunnelError, type ErrorCode } from '../../../src/core/errors.ts';
import {
  busyPatienceMs,
  Connector,
  redialMaxMs,
  steadyMs,
  type ConnectorState,
} from '../../../src/tunnel/connector.ts';
import { claimMs } from '../../../src/tunnel/link.ts';
import { EdgeSession } from '../../../src/wire/edgeSession.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

let credentials: { key: string; cert: string; ca: string };
beforeAll(async () => {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['localhost'], publicKey: key.publicKey, days: 1 });
  credentials = { key: key.privateKeyPem, cert, ca: authority.certificatePem };
});

type Claim = () => { hostname: string; port: number };

/** An edge that answers claims as told, and a connector whose dialling can be made to fail. */
async function world(random = () => 0.5) {
  const clock = new FakeClock();
  const sessions: EdgeSession[] = [];
  const server = createServer({ key: credentials.key, cert: credentials.cert });
  let claim: Claim = () => ({ hostname: 'a.edge.test', port: 443 });
  let mute = false;
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    if (mute) return;
    const session = new EdgeSession(socket, { clock });
    session.control.handle('route/claim', () => claim());
    session.control.start();
    sessions.push(session);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const dials: number[] = [];
  let failure: Error | undefined;
  const connector = new Connector({
    label: 'a',
    instance: 'instance-1',
    wanted: 1,
    dial: async (signal) => {
      dials.push(clock.now());
      if (failure) throw failure;
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: credentials.ca });
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      await once(socket, 'secureConnect', { signal });
      return socket;
    },
    onStream: (stream) => stream.destroy(),
    clock,
    random,
    log: () => {},
  });
  const states: ConnectorState[] = [];
  connector.onState((state) => states.push(state));
  onTestFinished(async () => {
    await connector.close();
    await Promise.all(sessions.map((session) => session.close()));
    server.close();
  });
  return {
    clock,
    connector,
    dials,
    sessions,
    states,
    start: () => connector.start(new AbortController().signal),
    lose: async () => sessions.at(-1)?.close(),
    failWith: (error?: Error) => void (failure = error),
    claimWith: (next: Claim) => void (claim = next),
    beMute: () => void (mute = true),
    last: () => states.at(-1),
  };
}

const refuse = (code: ErrorCode, retryable?: boolean) => (): never => {
  throw new TunnelError(code, `refused: ${code}`, retryable === undefined ? {} : { retryable });
};

const waiting = (state: ConnectorState | undefined): Extract<ConnectorState, { kind: 'waiting' }> => {
  if (state?.kind !== 'waiting') throw new Error(`not waiting but ${state?.kind}`);
  return state;
};

describe('the first connection', () => {
  it('tells the hostname, and is up', async () => {
    const { start, connector } = await world();
    expect(connector.state).toEqual({ kind: 'connecting', attempt: 1 });
    expect(await start()).toEqual({ hostname: 'a.edge.test', port: 443 });
    expect(connector.state.kind).toBe('connected');
  });

  it.each<ErrorCode>(['EDGE_UNREACHABLE', 'EDGE_IDENTITY', 'CERTIFICATE_INVALID', 'DESTINATION_DENIED'])(
    'is tried once: %s is told at once',
    async (code) => {
      const { start, failWith, dials, clock } = await world();
      failWith(new TunnelError(code, 'no'));
      await expect(start()).rejects.toMatchObject({ code });
      expect(dials).toHaveLength(1);
      expect(clock.pending).toBe(0);
    },
  );

  it.each<ErrorCode>(['ROUTE_BUSY', 'ROUTE_DENIED', 'LIMIT'])('is tried once: %s is told at once', async (code) => {
    const { start, claimWith, dials, sessions } = await world();
    claimWith(refuse(code));
    await expect(start()).rejects.toMatchObject({ code });
    expect(dials).toHaveLength(1);
    await until(() => sessions.every((session) => session.closed));
  });

  it.each([null, 5, 'yes'])('leaves nothing open where the edge answers the claim with %j', async (answer) => {
    const { start, claimWith, sessions, clock } = await world();
    claimWith(() => answer as never);
    await expect(start()).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    await until(() => sessions[0]?.closed === true);
    expect(clock.pending).toBe(0);
  });

  it('shows an edge’s words and obeys none of them', async () => {
    const { start, claimWith } = await world();
    claimWith(() => {
      throw new TunnelError('DESTINATION_DENIED', '\u001b[2Jyou may not', { data: { file: '/etc/passwd' } });
    });
    const error = await start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'EDGE_UNREACHABLE', data: undefined });
    expect((error as Error).message).toMatch(/\?\[2Jyou may not$/);
  });

  it('is given up when the edge says nothing', async () => {
    const { start, beMute, clock, dials } = await world();
    beMute();
    const failed = expect(start()).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    await until(() => dials.length === 1 && clock.pending >= 2);
    clock.advance(claimMs);
    await failed;
    expect(clock.pending).toBe(0);
  });
});

describe('a link that was lost', () => {
  it('is dialled again with growing, jittered waits, and its number of attempts is told', async () => {
    const { start, lose, failWith, clock, states, dials, connector } = await world(() => 0.5);
    await start();
    failWith(new TunnelError('EDGE_UNREACHABLE', 'no network'));
    await lose();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      await until(() => states.at(-1)?.kind === 'waiting' && waiting(states.at(-1)).attempt === attempt);
      waits.push(waiting(states.at(-1)).retryAtMs - clock.now());
      clock.advance(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(redialMaxMs);
    await until(() => dials.length === 10);

    failWith(undefined);
    await until(() => states.at(-1)?.kind === 'waiting');
    clock.advance(redialMaxMs);
    await until(() => connector.state.kind === 'connected');
  });

  it('is dialled at once again only after it had lasted', async () => {
    const { start, lose, states, clock, connector, sessions } = await world(() => 0.5);
    await start();
    const waits: number[] = [];
    for (const lastedMs of [0, 0, steadyMs]) {
      clock.advance(lastedMs);
      const count = sessions.length;
      await lose();
      await until(() => states.at(-1)?.kind === 'waiting');
      waits.push(waiting(states.at(-1)).retryAtMs - clock.now());
      clock.advance(waits.at(-1) ?? 0);
      await until(() => sessions.length > count && connector.state.kind === 'connected');
    }
    expect(waits).toEqual([250, 500, 250]);
  });

  it.each<ErrorCode>(['EDGE_UNREACHABLE', 'EDGE_IDENTITY', 'TIMEOUT', 'CLOSED'])(
    'waits for %s to pass',
    async (code) => {
      const { start, lose, failWith, last } = await world();
      await start();
      failWith(new TunnelError(code, 'for now'));
      await lose();
      await until(() => last()?.kind === 'waiting');
    },
  );

  it.each<ErrorCode>(['CERTIFICATE_INVALID', 'DESTINATION_DENIED', 'NOT_ENROLLED'])(
    'ends for good with %s',
    async (code) => {
      const { start, lose, failWith, last, clock, dials } = await world(() => 0);
      await start();
      failWith(new TunnelError(code, 'for good'));
      await lose();
      await until(() => last()?.kind === 'waiting');
      clock.advance(1);
      await until(() => last()?.kind === 'failed');
      expect(last()).toMatchObject({ kind: 'failed', error: { code } });
      clock.advance(3_600_000);
      expect(dials).toHaveLength(2);
    },
  );

  it('ends for good when the name was given to somebody else', async () => {
    const { start, lose, claimWith, last, clock } = await world(() => 0);
    await start();
    claimWith(refuse('ROUTE_DENIED'));
    await lose();
    await until(() => last()?.kind === 'waiting');
    clock.advance(1);
    await until(() => last()?.kind === 'failed');
    expect(last()).toMatchObject({ error: { code: 'ROUTE_DENIED' } });
  });

  it('asks for a busy name for a while, and then ends', async () => {
    const { start, lose, claimWith, last, clock, dials } = await world(() => 0.9);
    await start();
    claimWith(refuse('ROUTE_BUSY'));
    const lostMs = clock.now();
    await lose();
    while (last()?.kind !== 'failed') {
      await until(() => last()?.kind === 'waiting' || last()?.kind === 'failed');
      const state = last();
      const count = dials.length;
      if (state?.kind !== 'waiting') break;
      clock.advance(state.retryAtMs - clock.now());
      await until(() => dials.length > count && last()?.kind !== 'connecting');
    }
    expect(last()).toMatchObject({ kind: 'failed', error: { code: 'ROUTE_BUSY' } });
    expect(dials.length).toBeGreaterThan(4);
    expect(clock.now() - lostMs).toBeGreaterThanOrEqual(busyPatienceMs);
    expect(clock.now() - lostMs).toBeLessThan(busyPatienceMs + 2 * redialMaxMs);
  });

  it('ends for good when a newer link of the same tunnel took the name', async () => {
    const { start, sessions, last, dials } = await world();
    await start();
    const error = { code: 'ROUTE_BUSY', message: 'taken over', retryable: false } as const;
    sessions[0]?.control.notify('route/lost', { label: 'other', error });
    sessions[0]?.control.notify('route/lost', { label: 'a', error });
    await until(() => last()?.kind === 'failed');
    expect(last()).toMatchObject({ error });
    expect(dials).toHaveLength(1);
  });
});

describe('closing', () => {
  it('while a dial is under way waits for it and leaves nothing', async () => {
    const { start, lose, beMute, clock, connector, last, states } = await world(() => 0);
    await start();
    beMute();
    await lose();
    await until(() => last()?.kind === 'waiting');
    clock.advance(1);
    await until(() => last()?.kind === 'connecting');
    await connector.close();
    const count = states.length;
    clock.advance(3_600_000);
    expect(states).toHaveLength(count);
    expect(clock.pending).toBe(0);
  });
});
