import { describe, expect, it } from 'vitest';
import { EdgeState, type EdgeStateOptions } from '../../../src/edge/edgeState.ts';
import { maxLabelsPerConnector } from '../../../src/edge/labelRules.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

class World {
  readonly files = new MemoryFiles();
  readonly clock = new FakeClock();

  /** Each call is another process on the same folder. */
  state(options: Partial<EdgeStateOptions> = {}): Promise<EdgeState> {
    const { files, clock } = this;
    return EdgeState.load({ files, folder: '/edge', domain: 'edge.example.com', clock, ...options });
  }

  async connector(state: EdgeState, labels?: string[]): Promise<string> {
    const { token } = await state.mintToken(labels ? { labels } : {});
    return (await state.spendToken(token)).connector;
  }
}

describe('names that whoever runs the edge moves', () => {
  it('go to the new owner at once, here and in other processes, and nobody else hears of it', async () => {
    const world = new World();
    const [edge, admin] = [await world.state(), await world.state()];
    const [one, two] = [await world.connector(edge), await world.connector(edge)];
    for (const label of ['given', 'kept', 'released']) await edge.claimLabel(label, one);
    const moved: string[] = [];
    edge.onMoved((label) => moved.push(label));
    await admin.refresh();
    await admin.transferLabel('given', two);
    await admin.transferLabel('kept', one);
    await admin.transferLabel('new', two);
    await admin.releaseLabel('released');
    await edge.refresh();
    expect(['given', 'kept', 'released', 'new'].map((label) => edge.ownerOf(label))).toEqual([
      two,
      one,
      undefined,
      two,
    ]);
    expect(moved.sort()).toEqual(['given', 'released']);
    await expect(edge.claimLabel('given', one)).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    await edge.claimLabel('given', two);
  });

  it('go to nobody who could not claim them', async () => {
    const world = new World();
    const state = await world.state();
    const [scoped, revoked] = [await world.connector(state, ['dev-*']), await world.connector(state)];
    await state.revokeConnector(revoked);
    const give = (label: string, connector: string) => state.transferLabel(label, connector);
    await expect(give('prod', scoped)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(give('prod', revoked)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(give('www', scoped)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(give('prod', 'stranger12')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (let index = 0; index < maxLabelsPerConnector; index++) await give(`dev-${index}`, scoped);
    await expect(give('dev-more', scoped)).rejects.toMatchObject({ code: 'LIMIT' });
    await expect(state.releaseLabel('prod')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('may be reserved: then they are given out and never claimed', async () => {
    const world = new World();
    const state = await world.state({ reserved: ['admin', 'prod-*'] });
    const id = await world.connector(state);
    for (const label of ['admin', 'prod-', 'prod-1']) {
      await expect(state.claimLabel(label, id)).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    }
    await state.claimLabel('administrator', id);
    await state.transferLabel('admin', id);
    await state.claimLabel('admin', id);
  });
});
