import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
const listed = async () => {
  const { events } = await world.run(['allow', 'list', '--json']);
  return events.filter(({ event }) => event === 'destination').map(({ entry }) => entry);
};

describe('allow', () => {
  it('begins with this machine only', async () => {
    expect(await listed()).toEqual([{ carrier: 'embedded' }]);
    expect((await world.run(['allow', 'list'])).out).toContain(`${world.paths.userPolicy} (user)`);
  });

  it('adds an edge with its port and pin, and removes it', async () => {
    const pin = `sha256/${'A'.repeat(43)}=`;
    const { code, events } = await world.run(['allow', 'add', 'edge', 'Edge.Example.com', '--pin', pin, '--json']);
    const entry = { carrier: 'edge', host: 'edge.example.com:443', pin };
    expect([code, events]).toEqual([0, [{ event: 'allowed', entry, file: world.paths.userPolicy }]]);
    expect(await listed()).toEqual([{ carrier: 'embedded' }, entry]);
    expect(await world.run(['allow', 'remove', 'edge', 'edge.example.com'])).toMatchObject({ code: 0 });
    expect(await listed()).toEqual([{ carrier: 'embedded' }]);
  });

  it('lets the keys of an issuer be fetched, and not any more', async () => {
    const added = await world.run(['allow', 'add', 'jwks', 'issuer.example.com']);
    expect(added.out).toContain('Keys of issuers may be fetched from issuer.example.com');
    expect(await listed()).toEqual([{ carrier: 'embedded' }, { service: 'jwks', host: 'issuer.example.com' }]);
    expect(await world.run(['allow', 'remove', 'jwks', 'issuer.example.com'])).toMatchObject({ code: 0 });
    expect(await world.run(['allow', 'add', 'jwks'])).toMatchObject({ code: 2 });
  });

  it('lets an authority that speaks ACME be asked for certificates', async () => {
    const added = await world.run(['allow', 'add', 'acme', 'ca.example:14000']);
    expect(added.out).toContain('Certificates may be asked for at ca.example:14000');
    expect(await listed()).toEqual([{ carrier: 'embedded' }, { service: 'acme', host: 'ca.example:14000' }]);
    expect(await world.run(['allow', 'add', 'acme'])).toMatchObject({ code: 2 });
  });

  it('adds nothing twice and keeps the comments of a person', async () => {
    await put(world.paths.userPolicy, '{\n  // mine\n  "version": 1,\n}\n');
    for (let n = 0; n < 2; n += 1) await world.run(['allow', 'add', 'edge', 'e.example.com:8443']);
    expect(await readFile(world.paths.userPolicy, 'utf8')).toContain('// mine');
    expect(await listed()).toEqual([{ carrier: 'embedded' }, { carrier: 'edge', host: 'e.example.com:8443' }]);
  });

  it('adds the hosts at which agents that pair may be looked up', async () => {
    const entry = { service: 'client-metadata', host: 'claude.ai' };
    const { code, events } = await world.run(['allow', 'add', 'client-metadata', 'claude.ai', '--json']);
    expect([code, events]).toEqual([0, [{ event: 'allowed', entry, file: world.paths.userPolicy }]]);
    expect(await listed()).toEqual([{ carrier: 'embedded' }, entry]);
    expect(await world.run(['allow', 'remove', 'client-metadata', 'claude.ai'])).toMatchObject({ code: 0 });
    expect(await world.run(['allow', 'add', 'client-metadata'])).toMatchObject({ code: 2 });
    expect(await world.run(['allow', 'add', 'client-metadata', 'not a host'])).toMatchObject({ code: 2 });
  });

  it('may close even this machine', async () => {
    await world.run(['allow', 'remove', 'embedded']);
    expect(await listed()).toEqual([]);
    expect(await world.run(['allow', 'remove', 'embedded'])).toMatchObject({ code: 2 });
  });

  it('leaves the decision to a managed file', async () => {
    await put(world.paths.managedPolicy, '{"version":1,"destinations":[{"carrier":"embedded"}]}');
    const { code, err } = await world.run(['allow', 'add', 'edge', 'edge.example.com']);
    expect(code).toBe(3);
    expect(err).toContain(world.paths.managedPolicy);
    expect(await listed()).toEqual([{ carrier: 'embedded' }, { carrier: 'embedded' }]);
  });

  it('shows what the folder’s own file allows beside it', async () => {
    await put(world.paths.workspacePolicy(world.folder), '{"version":1,"destinations":[]}');
    const { out } = await world.run(['allow', 'list']);
    expect(out).not.toContain('(workspace)');
    await put(world.paths.workspacePolicy(world.folder), '{"version":1,"destinations":[{"carrier":"embedded"}]}');
    expect((await world.run(['allow', 'list'])).out).toContain('(workspace)');
  });

  it('names a policy file that is damaged, with its line, and changes nothing in it', async () => {
    const text = '{\n  "version": 1,\n  "destinations": 5\n}';
    await put(world.paths.userPolicy, text);
    for (const words of [
      ['allow', 'list'],
      ['allow', 'add', 'embedded'],
    ]) {
      const { code, err } = await world.run(words);
      expect(code).toBe(3);
      expect(err).toContain(world.paths.userPolicy);
      expect(err).toContain('3');
    }
    expect(await readFile(world.paths.userPolicy, 'utf8')).toBe(text);
  });

  it.each([
    [['add', 'pigeon'], 'use embedded, edge, client-metadata, jwks'],
    [['add', 'edge'], 'name the edge'],
    [['add', 'embedded', 'host'], 'takes no host'],
    [['add', 'edge', 'http://x'], 'is not a host'],
    [['add', 'embedded', '--pin', `sha256/${'A'.repeat(43)}=`], 'only an edge has a pin'],
    [['add', 'edge', 'x', '--pin', 'y'], '--pin: “y” is not a pin'],
  ])('refuses %j', async (words, sentence) => {
    expect(await world.run(['allow', ...words])).toMatchObject({ code: 2, err: expect.stringContaining(sentence) });
  });

  it('says which folder cannot be written', async () => {
    await put(join(world.folder, 'home'), 'a file where the folder should be');
    const { code, err } = await world.run(['allow', 'add', 'edge', 'edge.example.com']);
    expect(code).not.toBe(0);
    expect(err).toContain(join(world.folder, 'home'));
  });
});
