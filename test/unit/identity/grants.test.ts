import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { keepEndedMs, maxGrants, parseGrants } from '../../../src/identity/grantFile.ts';
import { GrantStore, type NewGrant } from '../../../src/identity/grants.ts';
import { digest, mintToken } from '../../../src/identity/token.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { until } from '../../support/until.ts';

const hour = 3_600_000;

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

const why = (store: GrantStore, token: string | undefined, server = 's1'): string => {
  const result = store.authenticate(token === undefined ? undefined : `Bearer ${token}`, server);
  return result.kind === 'refused' ? result.why : result.kind;
};

describe('GrantStore', () => {
  it('lets the holder of a token in, as the principal of its grant', async () => {
    const world = new World();
    const store = await world.store();
    const { grant, token } = await store.add(world.wanted({ scope: { tools: ['echo'], readOnly: true } }));
    expect(store.authenticate(`Bearer ${token}`, 's1')).toEqual({
      kind: 'principal',
      principal: {
        kind: 'grant',
        id: grant.id,
        name: 'claude',
        grant: grant.id,
        scope: { servers: ['s1'], tools: ['echo'], readOnly: true },
      },
      expiresMs: grant.expiresMs,
      proof: { grant: grant.id, sha256: digest(token) },
    });
    expect(store.list()).toEqual([grant]);
  });

  it('keeps no token, only its digest', async () => {
    const world = new World();
    const { token } = await (await world.store()).add(world.wanted());
    const text = world.files.texts.get('/grants.json')!;
    expect(text).not.toContain(token);
    expect(text).not.toContain(token.slice(5, 20));
  });

  it('says why it refused, for the log', async () => {
    const world = new World();
    const store = await world.store();
    const { token } = await store.add(world.wanted());
    expect(why(store, undefined)).toBe('missing');
    expect(why(store, 'nonsense')).toBe('malformed');
    expect(why(store, `${token} x`)).toBe('malformed');
    expect(why(store, mintToken(randomBytes))).toBe('unknown');
    expect(why(store, token, 's2')).toBe('other-server');
    expect(store.authenticate(`Basic ${token}`, 's1')).toEqual({ kind: 'refused', why: 'malformed' });
    expect(store.authenticate(token, 's1')).toEqual({ kind: 'refused', why: 'malformed' });
    expect(store.authenticate(`bearer  ${token}`, 's1').kind).toBe('principal');
  });

  it('ends a grant at its time, to the millisecond', async () => {
    const world = new World();
    const store = await world.store();
    const { token } = await store.add(world.wanted({ expiresMs: world.clock.now() + hour }));
    world.clock.advance(hour - 1);
    expect(why(store, token)).toBe('principal');
    world.clock.advance(1);
    expect(why(store, token)).toBe('expired');
  });

  it('a grant for * serves every server', async () => {
    const world = new World();
    const store = await world.store();
    const { token } = await store.add(world.wanted({ servers: ['*'] }));
    expect(why(store, token, 'whatever')).toBe('principal');
  });

  it('never authenticates a text that it did not mint', async () => {
    const world = new World();
    const store = await world.store();
    await store.add(world.wanted());
    fc.assert(fc.property(fc.string(), (text) => store.authenticate(text, 's1').kind === 'refused'));
  });

  describe('revoke', () => {
    it('takes effect at once, and is told', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token } = await store.add(world.wanted());
      const revoked: string[] = [];
      store.onRevoked((id) => revoked.push(id));
      expect(await store.revoke(grant.id)).toEqual({ ...grant, revokedMs: world.clock.now() });
      expect(why(store, token)).toBe('revoked');
      expect(revoked).toEqual([grant.id]);
    });

    it('a second time changes nothing', async () => {
      const world = new World();
      const store = await world.store();
      const { grant } = await store.add(world.wanted());
      const first = await store.revoke(grant.id);
      world.clock.advance(hour);
      expect(await store.revoke(grant.id)).toEqual(first);
    });

    it('says when there is no such grant', async () => {
      const store = await new World().store();
      await expect(store.revoke('g_none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('reaches another process within a second', async () => {
      const world = new World();
      const [here, there] = [await world.store(), await world.store()];
      const { grant, token } = await here.add(world.wanted());
      world.clock.advance(1_000);
      await until(() => why(there, token) === 'principal');
      const revoked: string[] = [];
      there.onRevoked((id) => revoked.push(id));
      await here.revoke(grant.id);
      await until(() => world.clock.pending === 2);
      world.clock.advance(1_000);
      await until(() => revoked.length > 0);
      expect(revoked).toEqual([grant.id]);
      expect(why(there, token)).toBe('revoked');
    });

    it('is not undone by a reading that began before it', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token } = await store.add(world.wanted());
      const old = world.files.texts.get('/grants.json');
      let arrive!: (text: string | undefined) => void;
      const slow = new Promise<string | undefined>((resolve) => (arrive = resolve));
      const read = world.files.read.bind(world.files);
      world.files.read = () => slow;
      const refreshed = store.refresh();
      world.files.read = read;
      await store.revoke(grant.id);
      arrive(old);
      await refreshed;
      expect(why(store, token)).toBe('revoked');
    });
  });

  describe('rotate', () => {
    it('lets the old token work for the overlap, and no longer', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token: old } = await store.add(world.wanted());
      const { token } = await store.rotate(grant.id, 60_000);
      expect([why(store, old), why(store, token)]).toEqual(['principal', 'principal']);
      expect(store.authenticate(`Bearer ${old}`, 's1')).toMatchObject({ expiresMs: world.clock.now() + 60_000 });
      world.clock.advance(60_000);
      expect([why(store, old), why(store, token)]).toEqual(['expired', 'principal']);
    });

    it('without an overlap the old token, and those still in theirs, end at once', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token: first } = await store.add(world.wanted());
      const { token: second } = await store.rotate(grant.id, hour);
      const { token: third } = await store.rotate(grant.id, 0);
      expect([first, second, third].map((token) => why(store, token))).toEqual(['unknown', 'unknown', 'principal']);
    });

    it('a second overlap does not lengthen the first', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token: first } = await store.add(world.wanted());
      const { token: second } = await store.rotate(grant.id, 60_000);
      await store.rotate(grant.id, hour);
      world.clock.advance(60_000);
      expect([why(store, first), why(store, second)]).toEqual(['expired', 'principal']);
    });

    it('keeps a handful of old tokens at most', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token: first } = await store.add(world.wanted());
      for (let turn = 0; turn < 4; turn += 1) await store.rotate(grant.id, hour);
      expect(why(store, first)).toBe('unknown');
    });

    it('refuses for a grant that has ended', async () => {
      const world = new World();
      const store = await world.store();
      const { grant } = await store.add(world.wanted());
      await store.revoke(grant.id);
      await expect(store.rotate(grant.id, 0)).rejects.toMatchObject({ code: 'CONFLICT' });
    });
  });

  it.each<[string, Partial<NewGrant>]>([
    ['name', { name: '' }],
    ['name', { name: 'a\nb' }],
    ['name', { name: 'x'.repeat(65) }],
    ['servers', { servers: [] }],
    ['scope.tools', { scope: { tools: [''] } }],
    ['expiresMs', { expiresMs: Number.NaN }],
  ])('refuses a grant whose %s is unusable', async (field, more) => {
    const world = new World();
    const store = await world.store();
    const refused = store.add(world.wanted(more));
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(field) as string });
    expect(world.files.texts.size).toBe(0);
  });

  it('refuses a grant that ends before it begins: 8 h is no moment', async () => {
    const world = new World();
    await expect((await world.store()).add(world.wanted({ expiresMs: 8 * hour }))).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('keeps a bounded number, and forgets those that ended a month ago', async () => {
    const world = new World();
    const store = await world.store();
    const { token } = await store.add(world.wanted());
    const file = JSON.parse(world.files.texts.get('/grants.json')!) as { version: 1; grants: { id: string }[] };
    const [one] = file.grants;
    file.grants = Array.from({ length: maxGrants }, (_, index) => ({ ...one!, id: `g_${index}` }));
    world.files.texts.set('/grants.json', JSON.stringify(file));
    await store.refresh();
    await expect(store.add(world.wanted())).rejects.toMatchObject({ code: 'LIMIT' });
    expect(why(store, token)).toBe('principal');
    world.clock.advance(8 * hour + keepEndedMs);
    await store.add(world.wanted());
    expect(store.list()).toHaveLength(1);
  });

  it('two processes that add at once both keep their grant', async () => {
    const world = new World();
    const [here, there] = [await world.store(), await world.store()];
    await Promise.all([here.add(world.wanted({ name: 'a' })), there.add(world.wanted({ name: 'b' }))]);
    await here.refresh();
    expect(here.list().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  describe('a bad file', () => {
    it('is refused at the start with its place', async () => {
      const world = new World();
      world.files.texts.set('/grants.json', '{"version":1,"grants":[{"id":7}]}');
      await expect(world.store()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        data: { file: '/grants.json', path: 'grants[0].id' },
      });
    });

    it('lets nobody in, ends what was open, and is left as it is', async () => {
      const world = new World();
      const store = await world.store();
      const { grant, token } = await store.add(world.wanted());
      const good = world.files.texts.get('/grants.json')!;
      const revoked: string[] = [];
      store.onRevoked((id) => revoked.push(id));
      world.files.texts.set('/grants.json', `${good}x`);
      await store.refresh();
      expect(why(store, token)).toBe('unknown');
      expect(revoked).toEqual([grant.id]);
      expect(store.problem?.code).toBe('CONFIG_INVALID');
      await expect(store.add(world.wanted())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect(world.files.texts.get('/grants.json')).toBe(`${good}x`);
    });

    it('is forgiven once it is repaired', async () => {
      const world = new World();
      const store = await world.store();
      const { token } = await store.add(world.wanted());
      const good = world.files.texts.get('/grants.json')!;
      world.files.texts.set('/grants.json', '');
      await store.refresh();
      world.files.texts.set('/grants.json', good);
      await store.refresh();
      expect(why(store, token)).toBe('principal');
      expect(store.problem).toBeUndefined();
    });

    it('a folder that cannot be read is such a file too', async () => {
      const world = new World();
      const store = await world.store();
      const { token } = await store.add(world.wanted());
      world.files.read = () => Promise.reject(new TunnelError('STATE_UNWRITABLE', 'EACCES'));
      await store.refresh();
      expect(why(store, token)).toBe('unknown');
    });
  });
});

describe('parseGrants', () => {
  const good = JSON.stringify({
    version: 1,
    grants: [
      {
        id: 'g_1',
        name: 'a',
        scope: { servers: ['*'] },
        createdMs: 1,
        expiresMs: 2,
        digests: [{ sha256: 'a'.repeat(64) }],
      },
    ],
  });

  it('throws nothing but CONFIG_INVALID, whatever the text', () => {
    const damaged = fc
      .tuple(fc.nat(good.length), fc.nat(20), fc.string())
      .map(([at, cut, text]) => good.slice(0, at) + text + good.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), damaged), (text) => {
        try {
          parseGrants(text, '/g');
        } catch (error) {
          expect(error).toMatchObject({ name: 'TunnelError', code: 'CONFIG_INVALID' });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuses two grants of one id', () => {
    const file = JSON.parse(good) as { grants: unknown[] };
    file.grants.push(file.grants[0]);
    expect(() => parseGrants(JSON.stringify(file), '/g')).toThrow('the same id');
  });
});
