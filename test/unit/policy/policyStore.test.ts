import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { mayDial } from '../../../src/policy/destinations.ts';
import { parsePolicy } from '../../../src/policy/policyFile.ts';
import { PolicyStore } from '../../../src/policy/policyStore.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { until } from '../../support/until.ts';

const edge = { carrier: 'edge', host: 'edge.example.com' } as const;

async function world(
  texts: Record<string, string> = {},
  extra?: string,
): Promise<{ store: PolicyStore; files: MemoryFiles; clock: FakeClock }> {
  const files = new MemoryFiles();
  for (const [path, text] of Object.entries(texts)) files.texts.set(path, text);
  const clock = new FakeClock();
  const locations = {
    managed: '/managed',
    user: '/user',
    workspaces: ['/w1', '/w2'],
    ...(extra === undefined ? {} : { extra }),
  };
  const store = new PolicyStore({ files, locations, clock });
  onTestFinished(() => store.close());
  await store.load();
  return { store, files, clock };
}
const dial = (store: PolicyStore): string => mayDial(store.current, edge).kind;

describe('PolicyStore', () => {
  it('allows nothing before it has read its files', () => {
    const store = new PolicyStore({
      files: new MemoryFiles(),
      locations: { managed: '/m', user: '/u', workspaces: [] },
      clock: new FakeClock(),
    });
    expect(mayDial(store.current, { carrier: 'embedded' }).kind).toBe('deny');
  });

  it('without files allows this machine only', async () => {
    const { store } = await world();
    expect(mayDial(store.current, { carrier: 'embedded' }).kind).toBe('allow');
    expect(dial(store)).toBe('deny');
    expect(store.current.problems).toEqual([]);
  });

  it('each workspace file narrows', async () => {
    const { store } = await world({ '/w2': '{"version":1,"destinations":[]}' });
    expect(mayDial(store.current, { carrier: 'embedded' })).toMatchObject({ kind: 'deny', file: '/w2' });
  });

  it('a file that was named on the command line must be there', async () => {
    const { store } = await world({}, '/extra');
    expect(mayDial(store.current, { carrier: 'embedded' })).toMatchObject({ kind: 'deny', file: '/extra' });
    expect(store.current.problems[0]?.message).toBe('there is no policy file /extra');
  });

  it('a file that cannot be read denies, and says why', async () => {
    const { store, files, clock } = await world();
    files.read = (path) =>
      path === '/managed' ? Promise.reject(new TunnelError('STATE_UNWRITABLE', 'EACCES')) : Promise.resolve(undefined);
    clock.advance(500);
    await until(() => store.current.problems.length === 1);
    expect(mayDial(store.current, { carrier: 'embedded' })).toMatchObject({ kind: 'deny', file: '/managed' });
  });

  it('sees what another process wrote within a second, and says so once', async () => {
    const { store, files, clock } = await world();
    let changes = 0;
    store.onChange(() => (changes += 1));
    files.texts.set('/user', JSON.stringify({ version: 1, destinations: [edge] }));
    clock.advance(1_000);
    await until(() => dial(store) === 'allow');
    files.texts.set('/user', '{ broken');
    await until(() => clock.pending === 1);
    clock.advance(1_000);
    await until(() => dial(store) === 'deny');
    expect(store.current.problems[0]).toMatchObject({ code: 'POLICY_INVALID', data: { file: '/user', line: 1 } });
    expect(changes).toBe(2);
    await until(() => clock.pending === 1);
    clock.advance(500);
    await until(() => clock.pending === 1);
    expect(changes).toBe(2);
  });

  it('looks no more after the close', async () => {
    const { store, clock } = await world();
    store.close();
    expect(clock.pending).toBe(0);
  });

  describe('allowDestination', () => {
    it('makes the file with the defaults spelled out, and holds at once', async () => {
      const { store, files } = await world();
      expect(await store.allowDestination(edge)).toBe('/user');
      expect(dial(store)).toBe('allow');
      const written = parsePolicy(files.texts.get('/user')!, '/user');
      expect(written.destinations).toEqual([{ carrier: 'embedded' }, edge]);
      expect(written.agents?.['*']?.tools).toEqual(['*']);
      expect(written.limits?.requestsPerMinute).toBe(600);
    });

    it('keeps comments and everything else as it was', async () => {
      const text =
        '{\n  // mine\n  "version": 1,\n  "destinations": [\n    { "carrier": "embedded" }, // here\n  ],\n  "agents": {} // none\n}\n';
      const { store, files } = await world({ '/user': text });
      await store.allowDestination(edge);
      const written = files.texts.get('/user')!;
      for (const comment of ['// mine', '// here', '// none']) expect(written).toContain(comment);
      expect(parsePolicy(written, '/user')).toMatchObject({
        destinations: [{ carrier: 'embedded' }, edge],
        agents: {},
      });
    });

    it('spells the default out where the file has no such section', async () => {
      const { store, files } = await world({ '/user': '{"version":1}' });
      await store.allowDestination(edge);
      expect(parsePolicy(files.texts.get('/user')!, '/user').destinations).toEqual([{ carrier: 'embedded' }, edge]);
    });

    it('changes nothing when the entry is there, written otherwise', async () => {
      const text = '{"version":1,"destinations":[{"carrier":"edge","host":"EDGE.example.com:443"}]}';
      const { store, files } = await world({ '/user': text });
      await store.allowDestination(edge);
      expect(files.texts.get('/user')).toBe(text);
    });

    it('refuses what a managed file forbids', async () => {
      const { store, files } = await world({ '/managed': '{"version":1,"destinations":[{"carrier":"embedded"}]}' });
      await expect(store.allowDestination(edge)).rejects.toMatchObject({
        code: 'DESTINATION_DENIED',
        data: { file: '/managed', mayAllow: false },
      });
      expect(files.texts.has('/user')).toBe(false);
    });

    it('does not touch a file that it cannot read', async () => {
      const { store, files } = await world({ '/user': '{ "version": 1, oops' });
      await expect(store.allowDestination(edge)).rejects.toMatchObject({ code: 'POLICY_INVALID' });
      expect(files.texts.get('/user')).toBe('{ "version": 1, oops');
    });

    it('refuses an entry that is none', async () => {
      const { store, files } = await world();
      await expect(store.allowDestination({ carrier: 'edge', host: 'http://x/' })).rejects.toMatchObject({
        code: 'POLICY_INVALID',
        data: { path: 'destinations[1].host' },
      });
      expect(files.texts.has('/user')).toBe(false);
    });

    it('two at once both stay', async () => {
      const { store } = await world();
      await Promise.all([
        store.allowDestination(edge),
        store.allowDestination({ carrier: 'edge', host: 'b.example.com' }),
      ]);
      expect(dial(store)).toBe('allow');
      expect(mayDial(store.current, { carrier: 'edge', host: 'b.example.com' }).kind).toBe('allow');
    });
  });

  describe('removeDestination', () => {
    it('takes every entry of that host out, pinned ones too', async () => {
      const pin = `sha256/${'A'.repeat(43)}=`;
      const text = JSON.stringify({ version: 1, destinations: [{ ...edge, pin }, { carrier: 'embedded' }, edge] });
      const { store, files } = await world({ '/user': text });
      expect(await store.removeDestination({ carrier: 'edge', host: 'Edge.example.com:443' })).toBe('/user');
      expect(parsePolicy(files.texts.get('/user')!, '/user').destinations).toEqual([{ carrier: 'embedded' }]);
      expect(dial(store)).toBe('deny');
    });

    it.each([0, 1, 2])('keeps the comments when entry %i goes', async (place) => {
      const hosts = ['a.example.com', 'b.example.com', 'c.example.com'];
      for (const comma of ['', ',']) {
        const lines = hosts.map(
          (host, index) => `    { "carrier": "edge", "host": "${host}" }${index < 2 ? ',' : comma} // ${index}`,
        );
        const { store, files } = await world({
          '/user': `{ "version": 1, "destinations": [\n${lines.join('\n')}\n  ] }\n`,
        });
        await store.removeDestination({ carrier: 'edge', host: hosts[place]! });
        const written = files.texts.get('/user')!;
        for (const index of [0, 1, 2]) expect(written).toContain(`// ${index}`);
        const left = parsePolicy(written, '/user').destinations;
        expect(left?.map(({ host }) => host)).toEqual(hosts.toSpliced(place, 1));
      }
    });

    it('can take the default out, too', async () => {
      const { store } = await world();
      await store.removeDestination({ carrier: 'embedded' });
      expect(mayDial(store.current, { carrier: 'embedded' }).kind).toBe('deny');
    });

    it('says when there is no such entry', async () => {
      const { store } = await world();
      await expect(store.removeDestination(edge)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});
