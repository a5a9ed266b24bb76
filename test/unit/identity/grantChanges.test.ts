// A grant that is changed while it is in use: by whom, what stays, who is told, and two processes at once.
import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrantStore, type AuthResult, type GrantChange, type NewGrant } from '../../../src/identity/grants.ts';
import type { Scope } from '../../../src/identity/grantScope.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const hour = 3_600_000;
const wide: Scope = { methods: ['*'], tools: ['*'], prompts: ['p'], resources: ['file:///a'], readOnly: true };

class World {
  readonly files = new MemoryFiles();
  readonly clock = new FakeClock();

  /** Another process over the same file. */
  async store(): Promise<GrantStore> {
    const store = new GrantStore({ files: this.files, path: '/grants.json', clock: this.clock, randomBytes });
    onTestFinished(() => store.close());
    await store.load();
    return store;
  }

  wanted(more: Partial<NewGrant> = {}): NewGrant {
    return { name: 'claude', servers: ['s1'], scope: {}, expiresMs: this.clock.now() + 8 * hour, ...more };
  }
}

function told(store: GrantStore): { changed: string[]; revoked: string[]; lists: number } {
  const heard = { changed: [] as string[], revoked: [] as string[], lists: 0 };
  store.onChanged((id) => heard.changed.push(id));
  store.onRevoked((id) => heard.revoked.push(id));
  store.onChange(() => (heard.lists += 1));
  return heard;
}

const proofOf = (result: AuthResult) => {
  if (result.kind === 'refused') throw new Error(result.why);
  return result.proof;
};

describe('GrantStore.change', () => {
  it('puts another scope in place of the old, and the holder of the token has it at once', async () => {
    const world = new World();
    const store = await world.store();
    const { grant, token } = await store.add(world.wanted({ scope: { tools: ['echo'], readOnly: true } }));
    const changed = await store.change(grant.id, { scope: { prompts: ['p'], resources: ['file:///a'] } });
    expect(changed).toEqual({ ...grant, scope: { servers: ['s1'], prompts: ['p'], resources: ['file:///a'] } });
    expect(store.authenticate(`Bearer ${token}`, 's1')).toMatchObject({ principal: { scope: changed.scope } });
  });

  it.each<[string, GrantChange, object]>([
    ['the scope where only the end is given', { expiresMs: 1 }, { scope: { servers: ['s1'], ...wide } }],
    ['the servers where the scope names none', { scope: {} }, { scope: { servers: ['s1'] } }],
    ['nothing of the servers where it does', { scope: { servers: ['s2'] } }, { scope: { servers: ['s2'] } }],
  ])('keeps %s', async (_what, { scope, expiresMs }, kept) => {
    const world = new World();
    const store = await world.store();
    const { grant } = await store.add(world.wanted({ scope: wide }));
    const end = expiresMs === undefined ? {} : { expiresMs: world.clock.now() + expiresMs };
    expect(await store.change(grant.id, { ...(scope ? { scope } : {}), ...end })).toEqual({
      ...grant,
      ...end,
      ...kept,
    });
  });

  it('keeps all that a scope can say through the file', async () => {
    const world = new World();
    const { grant } = await (await world.store()).add(world.wanted({ scope: wide }));
    expect((await world.store()).list()).toEqual([grant]);
    expect(grant.scope).toEqual({ servers: ['s1'], ...wide });
  });

  it('works for an agent that paired', async () => {
    const world = new World();
    const store = await world.store();
    const grant = await store.addPaired(world.wanted(), { client: 'Claude', redirectHost: 'claude.ai' });
    expect(await store.change(grant.id, { scope: { readOnly: true } })).toEqual({
      ...grant,
      scope: { servers: ['s1'], readOnly: true },
    });
  });

  it('is refused for a grant that has ended, by revocation or by the clock, and for one that is not there', async () => {
    const world = new World();
    const store = await world.store();
    const [revoked, expired] = [await store.add(world.wanted()), await store.add(world.wanted())];
    await store.revoke(revoked.grant.id);
    world.clock.advance(8 * hour);
    const later = { expiresMs: world.clock.now() + hour };
    await expect(store.change(revoked.grant.id, later)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(store.change(expired.grant.id, later)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(store.change('g_none', later)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each<[string, GrantChange]>([
    ['scope.tools', { scope: { tools: [''] } }],
    ['scope.servers', { scope: { servers: [] } }],
    ['scope', { scope: { toolz: ['echo'] } as object }],
    ['future', { expiresMs: 5 }],
  ])('is refused when its %s is unusable, and nothing changes', async (part, change) => {
    const world = new World();
    const store = await world.store();
    const { grant } = await store.add(world.wanted());
    const refused = store.change(grant.id, change);
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(part) as string });
    expect(store.list()).toEqual([grant]);
  });

  it('two windows that edit at once lose nothing', async () => {
    const world = new World();
    const [here, there] = [await world.store(), await world.store()];
    const { grant: a } = await here.add(world.wanted({ name: 'a' }));
    const { grant: b } = await there.add(world.wanted({ name: 'b' }));
    const tools = Array.from({ length: 20 }, (_, index) => `tool${index}`);
    await Promise.all([
      ...tools.map((tool) => here.change(a.id, { scope: { tools: [tool] } })),
      ...tools.map((tool) => there.change(b.id, { scope: { tools: [tool] } })),
      here.change(b.id, { expiresMs: world.clock.now() + hour }),
      there.rotate(a.id, hour),
    ]);
    await Promise.all([here.refresh(), there.refresh()]);
    expect(here.list()).toEqual(there.list());
    expect(here.list()).toEqual([
      { ...a, scope: { servers: ['s1'], tools: ['tool19'] } },
      { ...b, scope: { servers: ['s1'], tools: ['tool19'] }, expiresMs: world.clock.now() + hour },
    ]);
  });
});

it('what one window narrowed does not come back from another that has not seen it yet', async () => {
  const world = new World();
  const [here, there] = [await world.store(), await world.store()];
  const { grant } = await here.add(world.wanted({ scope: { tools: ['echo', 'delete'], prompts: ['p'] } }));
  await there.refresh();
  const [seen] = there.list();
  const narrowed = await here.change(grant.id, { scope: { tools: ['echo'] }, before: grant.scope });
  // It only meant to take the prompts away.
  const stale = there.change(grant.id, { scope: { tools: ['echo', 'delete'] }, before: seen!.scope });
  await expect(stale).rejects.toMatchObject({ code: 'CONFLICT' });
  await there.refresh();
  expect(there.list()).toEqual([narrowed]);
  // In another order of keys, as a driver may send it, it is the same.
  const { servers, ...scope } = narrowed.scope;
  await there.change(grant.id, { scope: {}, before: { ...scope, servers } });
});

describe('what a GrantStore tells', () => {
  it('of a change made here', async () => {
    const world = new World();
    const store = await world.store();
    const { grant } = await store.add(world.wanted());
    const heard = told(store);
    await store.change(grant.id, { scope: { readOnly: true } });
    expect(heard).toEqual({ changed: [grant.id], revoked: [], lists: 1 });
    await store.change(grant.id, { scope: { readOnly: true } });
    expect(heard).toEqual({ changed: [grant.id], revoked: [], lists: 1 });
  });

  it('of every change of another process, each by its kind', async () => {
    const world = new World();
    const [here, there] = [await world.store(), await world.store()];
    const { grant: a } = await there.add(world.wanted({ name: 'a' }));
    const { grant: b } = await there.add(world.wanted({ name: 'b' }));
    await here.refresh();
    const heard = told(here);
    await there.change(a.id, { scope: { readOnly: true } });
    await there.revoke(b.id);
    await there.add(world.wanted({ name: 'c' }));
    await here.refresh();
    expect(heard).toEqual({ changed: [a.id], revoked: [b.id], lists: 1 });
  });

  it('of a rotated token, though the list is the same', async () => {
    const world = new World();
    const store = await world.store();
    const { grant } = await store.add(world.wanted());
    const heard = told(store);
    await store.rotate(grant.id, hour);
    expect(heard).toEqual({ changed: [grant.id], revoked: [], lists: 0 });
  });

  it('of a file that cannot be read any more, as the end of all grants', async () => {
    const world = new World();
    const store = await world.store();
    const { grant } = await store.add(world.wanted());
    const heard = told(store);
    world.files.texts.set('/grants.json', '{');
    await store.refresh();
    expect(heard).toEqual({ changed: [], revoked: [grant.id], lists: 1 });
    expect(store.list()).toEqual([]);
  });
});

describe('GrantStore.judgeAgain', () => {
  it('judges what was let in by the grant as it is now', async () => {
    const world = new World();
    const store = await world.store();
    const { grant, token } = await store.add(world.wanted());
    const proof = proofOf(store.authenticate(`Bearer ${token}`, 's1'));
    await store.change(grant.id, { scope: { readOnly: true }, expiresMs: world.clock.now() + hour });
    const again = store.judgeAgain(proof, 's1');
    expect(again).toEqual(store.authenticate(`Bearer ${token}`, 's1'));
    expect(again).toMatchObject({ expiresMs: world.clock.now() + hour, principal: { scope: { readOnly: true } } });
    await store.change(grant.id, { scope: { servers: ['s2'] } });
    expect(store.judgeAgain(proof, 's1')).toEqual({ kind: 'refused', why: 'other-server' });
  });

  it('tells the end of the overlap of a token that was rotated while it was in use', async () => {
    const world = new World();
    const store = await world.store();
    const { grant, token } = await store.add(world.wanted());
    const proof = proofOf(store.authenticate(`Bearer ${token}`, 's1'));
    await store.rotate(grant.id, 60_000);
    expect(store.judgeAgain(proof, 's1')).toMatchObject({ expiresMs: world.clock.now() + 60_000 });
    world.clock.advance(60_000);
    expect(store.judgeAgain(proof, 's1')).toEqual({ kind: 'refused', why: 'expired' });
    await store.rotate(grant.id, 0);
    expect(store.judgeAgain(proof, 's1')).toEqual({ kind: 'refused', why: 'expired' });
    await store.revoke(grant.id);
    expect(store.judgeAgain(proof, 's1')).toEqual({ kind: 'refused', why: 'revoked' });
  });

  it('judges an agent that paired by its grant alone', async () => {
    const world = new World();
    const store = await world.store();
    const grant = await store.addPaired(world.wanted(), { client: 'Claude', redirectHost: 'claude.ai' });
    const proof = proofOf(store.judge(grant.id, 's1'));
    expect(proof).toEqual({ grant: grant.id });
    expect(store.judgeAgain(proof, 's1')).toMatchObject({ kind: 'principal', principal: { kind: 'oauth' } });
  });
});

it('a clock that jumps ends a grant at the time it says, and no change outlives it', async () => {
  const world = new World();
  const store = await world.store();
  const { grant, token } = await store.add(world.wanted());
  const kind = () => store.authenticate(`Bearer ${token}`, 's1').kind;
  world.clock.advance(9 * hour);
  expect(kind()).toBe('refused');
  const later = { expiresMs: world.clock.now() + hour };
  await expect(store.change(grant.id, later)).rejects.toMatchObject({ code: 'CONFLICT' });
  // Set right again, the time that was agreed to is not over.
  world.clock.advance(-9 * hour);
  expect(kind()).toBe('principal');
  await store.revoke(grant.id);
  world.clock.advance(-hour);
  expect(kind()).toBe('refused');
});
