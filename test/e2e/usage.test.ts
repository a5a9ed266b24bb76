import { once } from 'node:events';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandWorld } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

const noStack = /\n\s+at .*[:(]\d+|node:internal|helper\.js:\d+/;

describe('the command', () => {
  it('says its version and explains itself', async () => {
    expect(await world.run(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      err: '',
    });
    const { code, out } = await world.run(['--help']);
    expect(code).toBe(0);
    for (const name of ['expose', 'servers', 'agents', 'allow', 'edge', 'enroll', 'demo'])
      expect(out).toContain(`  ${name} `);
  });

  it.each([
    [['serverz'], /Did you mean servers\?/],
    [['edge', 'rnu'], /Did you mean run\?/],
    [['servers', '--jsonn'], /Did you mean --json\?/],
    [[], /needs a command/],
    [['agents', 'add', 'x', '--expires', 'soon'], /is not a time span/],
  ])('ends %j with 2 and a suggestion, never a stack', async (words, sentence) => {
    const { code, out, err } = await world.run(words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(noStack);
  });

  it('shows a stack only where MCP_TUNNEL_DEBUG asks for one', async () => {
    const { err } = await world.run(['servers', 'none'], { env: { MCP_TUNNEL_DEBUG: '1' } });
    expect(err).toMatch(noStack);
  });

  it('writes no colours to a pipe', async () => {
    const { err } = await world.run(['serverz']);
    expect(err.includes('\u001b')).toBe(false);
  });

  it('says what to do with a state folder that cannot be used', async () => {
    await writeFile(world.home, 'a file stands here');
    const { code, err } = await world.run(['agents', 'add', 'x']);
    expect(code).toBe(2);
    expect(err).toContain(world.home);
    expect(err).not.toMatch(noStack);
    await rm(world.home);
    await mkdir(world.home);
    await chmod(world.home, 0o500);
    const readOnly = await world.run(['agents', 'add', 'x']);
    // Root writes where it likes.
    expect(readOnly.code).toBe(process.getuid?.() === 0 ? 0 : 2);
    await chmod(world.home, 0o700);
    expect((await world.run(['servers'], { env: { MCP_TUNNEL_HOME: 'relative' } })).err).toContain('absolute path');
  });

  it('ends without a word when the reader of its output leaves', async () => {
    const servers = Object.fromEntries(
      Array.from({ length: 250 }, (_, n) => [`s${n}`, { command: 'x'.repeat(3_000) }]),
    );
    await world.put('.mcp.json', { mcpServers: servers });
    const { child, ended } = world.start(['servers', '--json']);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    child.stderr.destroy();
    void ended;
  });

  it('ends with 130 on Ctrl-C', async () => {
    const { child, first, ended } = world.start([
      'edge',
      'run',
      '--domain',
      'edge.localhost',
      '--listen',
      '127.0.0.1:0',
      '--json',
    ]);
    await first;
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130 });
  });
});
