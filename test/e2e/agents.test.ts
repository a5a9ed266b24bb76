import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandWorld } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

const first = async (...words: string[]) => (await world.run([...words, '--json'])).events[0];

describe('mcp-tunnel agents', () => {
  it('adds, lists, rotates and revokes over several processes', async () => {
    const added = await first('agents', 'add', 'claude', '--tools', 'echo', 'get-*', '--expires', '8h');
    expect(added).toMatchObject({
      event: 'added',
      token: expect.stringMatching(/^mcpt_[0-9A-Za-z]{49}$/),
      grant: { name: 'claude', scope: { servers: ['*'], tools: ['echo', 'get-*'] } },
    });
    const { id } = (added as { grant: { id: string } }).grant;
    expect(await first('agents', 'list')).toMatchObject({ event: 'grant', id, name: 'claude' });
    const rotated = await first('agents', 'rotate', 'claude');
    expect(rotated).toMatchObject({ event: 'rotated', grant: { id } });
    expect(rotated?.['token']).not.toBe(added?.['token']);
    expect(await first('agents', 'revoke', id)).toMatchObject({
      event: 'revoked',
      grant: { id, revokedMs: expect.any(Number) },
    });
    expect((await world.run(['agents', 'list', '--all'])).out).toContain('revoked');
  });

  it('leaves no token in the state folder, and state that only this user reads', async () => {
    const { token } = (await first('agents', 'add', 'claude')) as { token: string };
    const file = join(world.home, 'grants.json');
    expect(await readFile(file, 'utf8')).not.toContain(token);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(world.home)).mode & 0o777).toBe(0o700);
  });

  it('loses none of many that are added at the same time', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `agent-${n}`);
    await Promise.all(names.map((name) => world.run(['agents', 'add', name])));
    const { events } = await world.run(['agents', 'list', '--json']);
    expect(events.map(({ name }) => String(name)).sort()).toEqual(names);
  });
});
