import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandWorld } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

describe('mcp-tunnel allow', () => {
  it('writes the user’s policy file and reads it back', async () => {
    expect(await world.run(['allow', 'add', 'edge', 'edge.example.com:443'])).toMatchObject({ code: 0 });
    expect((await world.run(['allow', 'list', '--json'])).events).toMatchObject([
      { event: 'destination', origin: 'user', entry: { carrier: 'embedded' } },
      { event: 'destination', origin: 'user', entry: { carrier: 'edge', host: 'edge.example.com:443' } },
    ]);
    expect(await world.run(['allow', 'remove', 'edge', 'edge.example.com:443'])).toMatchObject({ code: 0 });
    expect(await readFile(join(world.home, 'policy.json'), 'utf8')).not.toContain('edge.example.com');
  });

  it('refuses to enrol where tunnels may not go, before anything is dialled', async () => {
    await world.put('token.txt', 'mcpe_000000000000000000000000000000000');
    const { code, events, err } = await world.run(['enroll', 'edge.invalid', '--token-file', 'token.txt', '--json']);
    expect([code, events]).toMatchObject([3, [{ event: 'error', code: 'DESTINATION_DENIED', exitCode: 3 }]]);
    expect(err).toContain(join(world.home, 'policy.json'));
    expect(err).toContain('mcp-tunnel allow add');
  });

  it('names line and file of a policy that is damaged', async () => {
    await world.run(['allow', 'add', 'embedded']);
    await writeFile(
      join(world.home, 'policy.json'),
      '{\n  "version": 1,\n  "destinations": [{ "carier": "embedded" }]\n}',
    );
    const { code, err } = await world.run(['allow', 'list']);
    expect(code).toBe(3);
    expect(err).toContain('policy.json');
    expect(err).toContain('destinations[0]');
  });
});
