// Two windows over the same real files: what one changes soon holds for the other.
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { PrivateFileStore } from '../../src/helper/privateFiles.ts';
import { GrantStore } from '../../src/identity/grants.ts';
import { mayDial } from '../../src/policy/destinations.ts';
import { PolicyStore } from '../../src/policy/policyStore.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const edge = { carrier: 'edge', host: 'edge.example.com' } as const;

async function twoGrantStores(): Promise<[GrantStore, GrantStore, string]> {
  const path = join(await temporaryFolder(), 'state', 'grants.json');
  const open = async (): Promise<GrantStore> => {
    const store = new GrantStore({ files: new PrivateFileStore(), path, clock: systemClock, randomBytes });
    onTestFinished(() => store.close());
    await store.load();
    return store;
  };
  return [await open(), await open(), path];
}

async function twoPolicyStores(): Promise<[PolicyStore, PolicyStore, string]> {
  const folder = await temporaryFolder();
  const user = join(folder, 'policy.json');
  const open = async (): Promise<PolicyStore> => {
    const locations = { managed: join(folder, 'managed.json'), user, workspaces: [] };
    const store = new PolicyStore({ files: new PrivateFileStore(), locations, clock: systemClock });
    onTestFinished(() => store.close());
    await store.load();
    return store;
  };
  return [await open(), await open(), user];
}

describe('grants in two windows', () => {
  it('come and go in both', async () => {
    const [here, there, path] = await twoGrantStores();
    const wanted = { name: 'claude', servers: ['*'], scope: {}, expiresMs: Date.now() + 60_000 };
    const { grant, token } = await here.add(wanted);
    const admitted = (): boolean => there.authenticate(`Bearer ${token}`, 's').kind === 'principal';
    await until(admitted);
    const ended: string[] = [];
    there.onRevoked((id) => ended.push(id));
    await here.revoke(grant.id);
    await until(() => ended.length > 0);
    expect([ended, admitted()]).toEqual([[grant.id], false]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toContain(token.slice(5));
  });

  it('are not lost when both write at once', async () => {
    const [here, there] = await twoGrantStores();
    const add = (store: GrantStore, name: string): Promise<unknown> =>
      store.add({ name, servers: ['*'], scope: {}, expiresMs: Date.now() + 60_000 });
    await Promise.all(Array.from({ length: 10 }, (_, index) => add(index % 2 ? here : there, `n${index}`)));
    await Promise.all([here.refresh(), there.refresh()]);
    expect(here.list()).toHaveLength(10);
    expect(there.list()).toEqual(here.list());
  });
});

describe('the policy in two windows', () => {
  it('changes in both soon, by a command or by hand', async () => {
    const [here, there, user] = await twoPolicyStores();
    const allowed = (): boolean => mayDial(there.current, edge).kind === 'allow';
    expect(allowed()).toBe(false);
    await here.allowDestination(edge);
    await until(allowed);
    await writeFile(user, '{ "version": 1, // by hand\n "destinations": [ ] }');
    await until(() => !allowed());
    expect(mayDial(there.current, { carrier: 'embedded' }).kind).toBe('deny');
  });

  it('a folder where the file should be denies everything', async () => {
    const folder = await temporaryFolder();
    const store = new PolicyStore({
      files: new PrivateFileStore(),
      locations: { managed: folder, user: join(folder, 'policy.json'), workspaces: [] },
      clock: systemClock,
    });
    onTestFinished(() => store.close());
    await store.load();
    expect(mayDial(store.current, { carrier: 'embedded' })).toMatchObject({ kind: 'deny', file: folder });
  });
});
