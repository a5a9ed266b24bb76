import { describe, expect, it } from 'vitest';
import { connectorDays, maxRenewalsPerDay } from '../../../src/edge/connectorRules.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const dayMs = 86_400_000;

class World {
  readonly files = new MemoryFiles();
  readonly clock = new FakeClock();

  /** Each call is another process on the same folder. */
  state(): Promise<EdgeState> {
    const { files, clock } = this;
    return EdgeState.load({ files, folder: '/edge', domain: 'edge.example.com', clock });
  }

  async connector(state: EdgeState, labels?: string[]): Promise<string> {
    const { token } = await state.mintToken(labels ? { labels } : {});
    return (await state.spendToken(token)).connector;
  }
}

describe('a connector that is enrolled again', () => {
  it('is the same one, keeps its names, and takes the scope of the token where that has one', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state, ['dev-*']);
    await state.claimLabel('dev-1', id);
    world.clock.advance(100 * dayMs);
    await state.touchLabels(['dev-1']); // Too late: 90 days without use.
    await state.claimLabel('dev-2', id);
    const again = await state.mintToken({ connector: id });
    expect(state.tokens()).toMatchObject([{ connector: id }]);
    expect(await state.spendToken(again.token)).toMatchObject({ connector: id, labels: ['dev-*'] });
    expect(state.certifiedUntilMs(id)).toBe(world.clock.now() + connectorDays * dayMs);
    expect([state.ownerOf('dev-1'), state.ownerOf('dev-2')]).toEqual([undefined, id]);
    const wider = await state.mintToken({ connector: id, labels: ['*'] });
    await state.spendToken(wider.token);
    await state.claimLabel('prod', id);
    expect(state.connectors()).toHaveLength(1);
  });

  it('is not one that is unknown or revoked, nor one that was revoked after the token was made', async () => {
    const world = new World();
    const state = await world.state();
    const [kept, revoked] = [await world.connector(state), await world.connector(state)];
    await expect(state.mintToken({ connector: 'stranger12' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { token } = await state.mintToken({ connector: revoked });
    await state.revokeConnector(revoked);
    await expect(state.spendToken(token)).rejects.toMatchObject({ code: 'ENROLMENT_REFUSED' });
    await expect(state.mintToken({ connector: revoked })).rejects.toMatchObject({ code: 'USAGE' });
    expect(state.isRevoked(kept)).toBe(false);
  });

  it('gets a number of certificates a day, and more the next day', async () => {
    const world = new World();
    const state = await world.state();
    const id = await world.connector(state);
    for (let renewal = 0; renewal < maxRenewalsPerDay; renewal++) await state.noteRenewal(id);
    await expect(state.noteRenewal(id)).rejects.toMatchObject({ code: 'LIMIT' });
    world.clock.advance(dayMs);
    await expect(state.noteRenewal(id)).resolves.toEqual({ expiresMs: world.clock.now() + connectorDays * dayMs });
    await state.revokeConnector(id);
    await expect(state.noteRenewal(id)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await expect(state.noteRenewal('stranger12')).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });
});
