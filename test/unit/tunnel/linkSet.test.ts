// Several links of one tunnel: when they are opened, replaced and given up. Real links over TLS, time and dialling in our
// hands.
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { furtherBaseMs, limitPauseMs, maxLeavingPerLink, probeMs, replaceMs } from '../../../src/tunnel/connector.ts';
import { linkWorld } from '../../support/linkWorld.ts';
import { until } from '../../support/until.ts';

describe('four links', () => {
  it('the first is up when start returns; the others follow without a wait, all of one run', async () => {
    const { start, full, connector, ends, dials, states, clock } = await linkWorld();
    await start();
    expect(connector.links.up).toBe(1);
    await full();
    expect(dials.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 4 }, () => clock.now()));
    expect(new Set(ends.map(({ claim }) => claim?.run)).size).toBe(1);
    expect(states).toEqual([]);
  });

  it('one that is lost is opened again while the tunnel stays connected', async () => {
    const { start, full, wait, connector, ends, states, clock, dials } = await linkWorld();
    await start();
    await full();
    await ends[1]?.session.close();
    await until(() => connector.links.up === 3);
    const lostMs = clock.now();
    await wait(() => connector.links.up === 4);
    expect((dials.at(-1)?.atMs ?? 0) - lostMs).toBeLessThanOrEqual(furtherBaseMs);
    expect(states).toEqual([]);
    expect(new Set(ends.map(({ claim }) => claim?.link)).size).toBe(5);
    expect(ends.map(({ claim }) => claim?.gone)).toEqual([...Array(4).fill(undefined), [ends[1]?.claim?.link]]);
    expect(new Set(ends.map(({ claim }) => claim?.run)).size).toBe(1);
  });

  it('after the loss of all, one comes back alone, as a new run, and then the others, each after a wait', async () => {
    const { start, full, wait, connector, ends, dials, states, alive } = await linkWorld();
    await start();
    await full();
    await Promise.all(ends.map(({ session }) => session.close()));
    await until(() => states.at(-1) === 'waiting');
    await wait(() => connector.links.up === 1);
    expect(dials).toHaveLength(5);
    await wait(() => connector.links.up === 4);
    const times = dials.slice(4).map(({ atMs }) => atMs);
    for (const [place, atMs] of times.entries())
      if (place > 0) expect(atMs - (times[place - 1] ?? 0)).toBeGreaterThan(1000);
    expect(states).toEqual(['waiting', 'connecting', 'connected']);
    const runs = ends.map(({ claim }) => claim?.run);
    expect(new Set(runs.slice(0, 4))).not.toContain(runs[4]);
    expect(new Set(alive().map(({ claim }) => claim?.run)).size).toBe(1);
  });

  it('a restarted edge meets one dial of each tunnel first, and those spread by chance', async () => {
    const worlds = await Promise.all(
      Array.from({ length: 8 }, (_, index) => linkWorld({ random: () => (index + 0.5) / 8, wanted: 2 })),
    );
    for (const { start, full } of worlds) {
      await start();
      await full();
    }
    const waits: number[] = [];
    for (const { ends, states, clock, connector, dials, wait } of worlds) {
      await Promise.all(ends.map(({ session }) => session.close()));
      await until(() => states.at(-1) === 'waiting');
      const lostMs = clock.now();
      await wait(() => connector.links.up === 1, 10);
      expect(dials).toHaveLength(3);
      waits.push((dials[2]?.atMs ?? 0) - lostMs);
    }
    expect(new Set(waits).size).toBe(8);
  });

  it('at the edge’s bound of links the tunnel goes on with fewer, and asks again later', async () => {
    const { start, wait, pass, connector, edge, states, dials, clock } = await linkWorld();
    let claims = 0;
    edge.claim = () => {
      claims += 1;
      if (claims > 2) throw new TunnelError('LIMIT', 'this machine holds too many links');
    };
    await start();
    await until(() => dials.length === 3 && clock.pending > 0 && connector.links.up === 2);
    await pass(limitPauseMs - 1000);
    expect(dials).toHaveLength(3);
    edge.claim = () => {};
    await wait(() => connector.links.up === 4, 1000);
    expect(states).toEqual([]);
  });

  it('a refusal of a further link is no verdict on the tunnel', async () => {
    const { start, connector, network, dials, wait } = await linkWorld();
    network.dial = async () => {
      if (dials.length > 1) throw new TunnelError('DESTINATION_DENIED', 'not any more');
    };
    await start();
    await wait(() => dials.length >= 4, 1000);
    expect(connector.state.kind).toBe('connected');
    expect(connector.links.up).toBe(1);
  });

  it('a dial that hangs gives way when the last link is lost', async () => {
    const { start, connector, network, dials, ends, wait } = await linkWorld({ wanted: 2 });
    network.dial = async () => {
      if (dials.length === 2) await new Promise(() => {});
    };
    await start();
    await until(() => dials.length === 2);
    await ends[0]?.session.close();
    await until(() => connector.state.kind === 'waiting');
    await wait(() => connector.state.kind === 'connected');
  });

  it('a name that a newer run took ends the tunnel, and all its links', async () => {
    const { start, full, connector, ends, alive, dials } = await linkWorld();
    await start();
    await full();
    ends[2]?.session.control.notify('route/lost', {
      label: 'a',
      error: { code: 'ROUTE_BUSY', message: 'taken over', retryable: false },
    });
    await until(() => connector.state.kind === 'failed' && alive().length === 0);
    expect(dials).toHaveLength(4);
  });

  it('go to two of the nodes that the edge has named, and a node has no say in whether there is a tunnel', async () => {
    const { start, full, connector, dials, network, ends, wait } = await linkWorld({
      nodes: ['n1.edge.test:1', 'n2.edge.test'],
    });
    await start();
    await full();
    expect(dials.map(({ place }) => place?.host)).toEqual([undefined, 'n2.edge.test', undefined, 'n2.edge.test']);
    network.dial = async (place) => {
      if (place) throw new TunnelError('CERTIFICATE_INVALID', 'says the node');
      if (dials.length < 8) throw new TunnelError('EDGE_UNREACHABLE', 'away');
    };
    await Promise.all(ends.map(({ session }) => session.close()));
    await wait(() => connector.links.up > 0, 500);
    expect(connector.state.kind).toBe('connected');
    expect(new Set(dials.slice(4, 7).map(({ place }) => place?.host)).size).toBe(3);
  });
});

describe('an edge that drains', () => {
  it('gets its links replaced first; then they are given up, and end when their visitors are done', async () => {
    const { start, full, wait, connector, ends, alive, states, clock } = await linkWorld({ wanted: 2 });
    await start();
    await full();
    const visitor = ends[0]?.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' });
    visitor?.resume();
    await until(() => clock.pending > 0);
    for (const { session } of ends) session.control.notify('drain', { reason: 'update', withinMs: 60_000 });
    await until(() => connector.links.up === 0);
    expect(alive()).toHaveLength(2);
    expect(connector.state.kind).toBe('connected');
    const drainedMs = clock.now();
    await wait(() => connector.links.up === 2, 20);
    expect(clock.now() - drainedMs).toBeLessThanOrEqual(3 * replaceMs);
    await wait(() => ends[1]?.session.closed === true);
    expect(ends.slice(0, 2).map(({ released }) => released)).toEqual([true, true]);
    expect(ends[0]?.session.closed).toBe(false); // Its visitor is still there.
    visitor?.end();
    await wait(() => ends[0]?.session.closed === true);
    expect(clock.now() - drainedMs).toBeLessThan(30_000);
    expect(states).toEqual([]);
  });

  it('is met ever more seldom where it ends each new link as well, and few of those are kept', async () => {
    const { start, pass, ends, alive, edge, dials } = await linkWorld({ wanted: 2 });
    await start();
    edge.claim = async (_claim, end) => {
      setImmediate(() => {
        end.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' }).resume();
        end.session.control.notify('drain', { reason: 'again', withinMs: 600_000 });
      });
    };
    ends[0]?.session.control.notify('drain', { reason: 'first', withinMs: 600_000 });
    await pass(500_000);
    expect(alive().length).toBeLessThanOrEqual(2 * (maxLeavingPerLink + 1));
    expect(dials.length).toBeLessThan(40);
  });

  it('keeps nobody longer than it said, whatever it says', async () => {
    const { start, full, wait, connector, ends } = await linkWorld({ wanted: 2 });
    await start();
    await full();
    ends[0]?.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' }).resume();
    ends[0]?.session.control.notify('drain', { reason: 'now', withinMs: 5000 });
    ends[1]?.session.control.notify('drain', { reason: 'x', withinMs: Number.NaN });
    await wait(() => connector.links.up === 2 && ends.slice(0, 2).every(({ session }) => session.closed));
  });
});

describe('another network, or a machine that woke up', () => {
  it('a link without a sign of life is given up soon, and dialled again without a wait', async () => {
    const { start, connector, ends, network, clock, dials, states } = await linkWorld({
      wanted: 1,
      random: () => 0.99,
    });
    await start();
    ends[0]?.socket.pause();
    const pending = clock.pending;
    network.changed('this machine was away');
    expect(clock.pending).toBe(pending + 1);
    clock.advance(probeMs);
    await until(() => states.includes('waiting'));
    clock.advance(0);
    await until(() => connector.state.kind === 'connected' && dials.length === 2);
  });

  it('links that answer stay', async () => {
    const { start, full, connector, network, clock, dials } = await linkWorld();
    await start();
    await full();
    const pending = clock.pending;
    network.changed('other addresses');
    await until(() => clock.pending === pending); // All have answered.
    clock.advance(probeMs);
    expect(connector.links.up).toBe(4);
    expect(dials).toHaveLength(4);
  });

  it('what waits is dialled at once, and a dial over the old network is begun anew', async () => {
    const { start, connector, ends, network, dials, states, wait } = await linkWorld({ wanted: 1, random: () => 0.99 });
    await start();
    let hangs = true;
    network.dial = () => (hangs ? new Promise(() => {}) : Promise.resolve());
    await ends[0]?.session.close();
    await until(() => states.at(-1) === 'waiting');
    network.changed('other addresses');
    await until(() => dials.length === 2);
    hangs = false;
    network.changed('other addresses');
    await wait(() => connector.state.kind === 'connected', 0);
    expect(dials).toHaveLength(3);
  });
});
