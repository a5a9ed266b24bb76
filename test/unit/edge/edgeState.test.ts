import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectorDays, maxConnectors } from '../../../src/edge/connectorRules.ts';
import { EdgeState, refreshMs } from '../../../src/edge/edgeState.ts';
import { maxLabelsPerConnector, unusedClaimMs } from '../../../src/edge/labelRules.ts';
import { defaultTokenMs, maxUnspentTokens } from '../../../src/edge/tokenRules.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const dayMs = 86_400_000;
const path = join('/edge', 'edge.json');

class World {
  readonly files = new MemoryFiles();
  readonly clock = new FakeClock();

  /** Each call is another process on the same folder. */
  state(): Promise<EdgeState> {
    return EdgeState.load({ files: this.files, folder: '/edge', domain: 'edge.example.com', clock: this.clock });
  }

  async connector(state: EdgeState, labels?: string[]): Promise<string> {
    const { token } = await state.mintToken(labels ? { labels } : {});
    return (await state.spendToken(token)).connector;
  }

  text(): string {
    return this.files.texts.get(path) ?? '';
  }
}

describe('enrolment tokens', () => {
  it('have a recognisable shape, live for an hour, and are kept as digests only', async () => {
    const world = new World();
    const state = await world.state();
    const { token, expiresMs } = await state.mintToken();
    expect(token).toMatch(/^mcpe_[0-9A-Za-z]{33}$/);
    expect(expiresMs).toBe(world.clock.now() + defaultTokenMs);
    expect(world.text()).toMatch(/"digest": "[0-9a-f]{64}"/);
    expect(world.text()).not.toContain(token.slice(5));
  });

  it('make one connector with the labels they were minted for', async () => {
    const world = new World();
    const state = await world.state();
    const { token } = await state.mintToken({ labels: ['dev-*'] });
    const spent = await state.spendToken(token);
    expect(spent).toMatchObject({ labels: ['dev-*'], expiresMs: world.clock.now() + connectorDays * dayMs });
    expect(spent.connector).toMatch(/^[0-9a-f]{24}$/);
    expect(state.connectors()).toMatchObject([{ id: spent.connector, labels: ['dev-*'] }]);
    expect(state.isRevoked(spent.connector)).toBe(false);
  });

  it('are refused the second time, in this process and in another', async () => {
    const world = new World();
    const [one, two] = [await world.state(), await world.state()];
    const { token } = await one.mintToken();
    await two.spendToken(token);
    for (const state of [one, two, await world.state()]) {
      await expect(state.checkToken(token)).rejects.toMatchObject({ code: 'ENROLMENT_REFUSED' });
      await expect(state.spendToken(token)).rejects.toMatchObject({ code: 'ENROLMENT_REFUSED' });
    }
    await one.refresh();
    expect(one.connectors()).toHaveLength(1);
  });

  it('are spent once when many try at once', async () => {
    const world = new World();
    const states = await Promise.all([world.state(), world.state(), world.state()]);
    const { token } = await states[0].mintToken();
    const results = await Promise.allSettled(
      states.flatMap((state) => [state.spendToken(token), state.spendToken(token)]),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are all refused with the same words: unknown, malformed, used, expired', async () => {
    const world = new World();
    const state = await world.state();
    const { token: used } = await state.mintToken();
    await state.spendToken(used);
    const { token: expired } = await state.mintToken({ expiresMs: world.clock.now() + 1000 });
    world.clock.advance(1000);
    const { token: other } = await (await new World().state()).mintToken();
    const refusals = [used, expired, other, '', 'mcpe_', `${used}\n`, 'x'.repeat(1000)].map((token) =>
      state.spendToken(token).then(
        () => 'accepted',
        (error: Error) => error.message,
      ),
    );
    expect(new Set(await Promise.all(refusals))).toEqual(
      new Set(['the enrolment token is not valid here (unknown, used or expired): ask for a new one']),
    );
  });

  it('are not spent by a look', async () => {
    const state = await new World().state();
    const { token } = await state.mintToken();
    await state.checkToken(token);
    await state.checkToken(token);
    await expect(state.spendToken(token)).resolves.toMatchObject({});
  });

  it.each([[[]], [['UPPER']], [['a.b']], [['']], [['connect']], [Array.from({ length: 65 }, () => 'a')]])(
    'are not minted for the labels %j',
    async (labels) => {
      const state = await new World().state();
      await expect(state.mintToken({ labels })).rejects.toMatchObject({ code: 'USAGE' });
    },
  );

  it('stop at a number, and go on when some expire', async () => {
    const world = new World();
    const state = await world.state();
    const tokens = Array.from({ length: maxUnspentTokens }, () => ({
      digest: '0'.repeat(64),
      expiresMs: world.clock.now() + 1000,
    }));
    world.files.texts.set(path, JSON.stringify({ version: 1, tokens, connectors: [], claims: [] }));
    await expect(state.mintToken()).rejects.toMatchObject({ code: 'LIMIT' });
    world.clock.advance(1000);
    await expect(state.mintToken()).resolves.toMatchObject({});
  });
});

describe('connectors', () => {
  it('are revoked at once here, within a second elsewhere, and the listener hears of each once', async () => {
    const world = new World();
    const [edge, admin] = [await world.state(), await world.state()];
    const [kept, revoked] = [await world.connector(edge), await world.connector(edge)];
    const heard: string[] = [];
    edge.onRevoked((id) => heard.push(id));
    const watching = edge.watch(() => expect.unreachable());

    await admin.revokeConnector(revoked);
    expect(admin.isRevoked(revoked)).toBe(true);
    expect(edge.isRevoked(revoked)).toBe(false);
    world.clock.advance(refreshMs);
    await expect.poll(() => edge.isRevoked(revoked)).toBe(true);
    await expect.poll(() => world.clock.pending).toBe(2);
    world.clock.advance(refreshMs);
    await expect.poll(() => world.clock.pending).toBe(2);
    expect(heard).toEqual([revoked]);
    expect(edge.isRevoked(kept)).toBe(false);

    await admin.revokeConnector(revoked); // Again, which changes nothing.
    await watching.close();
    expect(world.clock.pending).toBe(0);
  });

  it('that this edge does not know count as revoked', async () => {
    const state = await new World().state();
    expect(state.isRevoked('0123456789abcdef')).toBe(true);
    await expect(state.revokeConnector('0123456789abcdef')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('stop at a number', async () => {
    const world = new World();
    const state = await world.state();
    const now = world.clock.now();
    const connectors = Array.from({ length: maxConnectors }, (_, index) => ({
      id: `connector${index}`,
      enrolledMs: now,
      expiresMs: now + dayMs,
    }));
    world.files.texts.set(path, JSON.stringify({ version: 1, tokens: [], connectors, claims: [] }));
    const { token } = await state.mintToken();
    await expect(state.spendToken(token)).rejects.toMatchObject({ code: 'LIMIT' });
    await expect(state.checkToken(token)).resolves.toBeUndefined();
  });

  it('are forgotten 90 days after their certificate', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    world.clock.advance(connectorDays * dayMs + unusedClaimMs);
    await state.mintToken();
    expect(state.connectors()).toEqual([]);
    expect(state.isRevoked(id)).toBe(true);
  });

  it('are not resurrected by a read that began before a change', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    const stale = world.text();
    const read = world.files.read.bind(world.files);
    let release = (): void => {};
    world.files.read = () => new Promise((resolve) => (release = () => resolve(stale)));
    const refreshing = state.refresh();
    await state.revokeConnector(id);
    world.files.read = read;
    release();
    await refreshing;
    expect(state.isRevoked(id)).toBe(true);
  });
});

describe('labels', () => {
  it('belong to the connector that claimed them first', async () => {
    const world = new World();
    const state = await world.state();
    const [one, two] = [await world.connector(state), await world.connector(state)];
    await state.claimLabel('everything', one);
    await state.claimLabel('everything', one);
    expect(state.ownerOf('everything')).toBe(one);
    await expect(state.claimLabel('everything', two)).rejects.toMatchObject({
      code: 'ROUTE_DENIED',
      message: 'everything.edge.example.com belongs to another connector: choose another name',
    });
    const later = await world.state();
    expect(later.ownerOf('everything')).toBe(one);
  });

  it('go to one of two processes that claim at once', async () => {
    const world = new World();
    const [a, b] = [await world.state(), await world.state()];
    const [one, two] = [await world.connector(a), await world.connector(a)];
    const results = await Promise.allSettled([a.claimLabel('name', one), b.claimLabel('name', two)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it.each(['connect', 'enroll', 'www', 'xn--abc', '_acme', 'UPPER', 'a.b', '', 'a'.repeat(64), '__proto__'])(
    'that are reserved or malformed cannot be claimed: “%s”',
    async (label) => {
      const world = new World();
      const state = await world.state();
      const id = await world.connector(state);
      await expect(state.claimLabel(label, id)).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    },
  );

  it('outside the scope of the token cannot be claimed', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state, ['dev-*', 'demo']);
    await state.claimLabel('dev-1', id);
    await state.claimLabel('demo', id);
    await expect(state.claimLabel('prod', id)).rejects.toMatchObject({
      code: 'ROUTE_DENIED',
      message: 'this connector may only use the names dev-*, demo, so not prod',
    });
  });

  it('cannot be claimed by a revoked or unknown connector, and a revoked one leaves its own', async () => {
    const world = new World();
    const [state, admin] = [await world.state(), await world.state()];
    const [one, two] = [await world.connector(state), await world.connector(state)];
    await state.claimLabel('name', one);
    await admin.revokeConnector(one);
    await expect(state.claimLabel('name', one)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await expect(state.claimLabel('name', 'stranger12')).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await state.claimLabel('name', two);
    expect(state.ownerOf('name')).toBe(two);
  });

  it('are a number per connector, and a released one makes room', async () => {
    const world = new World();
    const state = await world.state();
    const [one, two] = [await world.connector(state), await world.connector(state)];
    for (let index = 0; index < maxLabelsPerConnector; index++) await state.claimLabel(`name-${index}`, one);
    await expect(state.claimLabel('one-more', one)).rejects.toMatchObject({ code: 'LIMIT' });
    await state.claimLabel('name-0', one);
    await state.claimLabel('one-more', two);

    await state.releaseLabel('name-0');
    expect(state.ownerOf('name-0')).toBeUndefined();
    await state.claimLabel('another', one);
  });

  it('are free again after 90 days without use, and not while they are used', async () => {
    const world = new World();
    const state = await world.state();
    const [one, two] = [await world.connector(state), await world.connector(state)];
    for (const label of ['left', 'claimed', 'live']) await state.claimLabel(label, one);
    world.clock.advance(unusedClaimMs - dayMs);
    await state.claimLabel('claimed', one);
    await state.touchLabels(['live', 'unknown']);
    world.clock.advance(dayMs);

    expect(state.ownerOf('left')).toBeUndefined();
    await state.claimLabel('left', two);
    for (const label of ['claimed', 'live']) {
      await expect(state.claimLabel(label, two)).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    }
    expect(state.claims().map(({ label, connector }) => [label, connector])).toEqual([
      ['claimed', one],
      ['live', one],
      ['left', two],
    ]);
  });

  it('cost one write a day, however often they are claimed', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    await state.claimLabel('name', id);
    const before = world.files.writes;
    for (let hour = 0; hour < 23; hour++) {
      world.clock.advance(3_600_000);
      await state.claimLabel('name', id);
      await state.touchLabels(['name']);
    }
    expect(world.files.writes).toBe(before);
    world.clock.advance(3_600_000);
    await state.touchLabels(['name']);
    expect(world.files.writes).toBe(before + 1);
  });
});

describe('edge.json', () => {
  it.each([
    ['{', 'is not JSON'],
    ['null', 'is wrong at its top'],
    ['{"version":2,"tokens":[],"connectors":[],"claims":[]}', 'is wrong at version'],
    [
      '{"version":1,"tokens":[{"digest":"x","expiresMs":1}],"connectors":[],"claims":[]}',
      'is wrong at tokens.0.digest',
    ],
    [
      '{"version":1,"tokens":[],"connectors":[{"id":"../x","enrolledMs":1,"expiresMs":1}],"claims":[]}',
      'connectors.0.id',
    ],
    ['{"version":1,"tokens":[],"connectors":[],"claims":[],"more":1}', 'is wrong at its top'],
  ])('that holds %s is refused, with its path and what to do', async (text, words) => {
    const world = new World();
    world.files.texts.set(path, text);
    await expect(world.state()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(words) as string,
      data: { file: path },
    });
    expect(world.text()).toBe(text);
  });

  it('that breaks while the edge runs is told, and what was read stands', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    const problems: unknown[] = [];
    const watching = state.watch((error) => problems.push(error));
    world.files.texts.set(path, 'broken');
    world.clock.advance(refreshMs);
    await expect.poll(() => problems.length).toBe(1);
    expect(problems[0]).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(state.isRevoked(id)).toBe(false);
    await expect(state.mintToken()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(world.text()).toBe('broken');
    await watching.close();
  });

  it('that vanishes while the edge runs takes every connector with it', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    const heard: string[] = [];
    state.onRevoked((revoked) => heard.push(revoked));
    world.files.texts.delete(path);
    await state.refresh();
    expect(state.isRevoked(id)).toBe(true);
    expect(heard).toEqual([id]);
  });
});
