import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

const put = (text: string) => writeFile(join(world.folder, '.mcp.json'), text);

describe('servers', () => {
  it('shows name, kind, what runs, place and problems', async () => {
    await put(
      '{"mcpServers":{\n"a":{"command":"node","args":["my server.js"]},\n"b":{"url":"http://localhost:1/mcp","disabled":true},\n"c":5}}',
    );
    const { code, out } = await world.run(['servers']);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'NAME  KIND   RUNS                    DEFINED IN',
        'a     stdio  node "my server.js"     .mcp.json:2',
        'b     http   http://localhost:1/mcp  .mcp.json:3',
        '',
        'b: it is disabled in this file (.mcp.json:3)',
        '.mcp.json:4:5: mcpServers.c must be an object',
        '',
      ].join('\n'),
    );
  });

  it('shows how a long command begins and how it ends', async () => {
    const args = [`/srv/${'folder/'.repeat(20)}notes-server/index.js`, 'stdio'];
    await put(JSON.stringify({ mcpServers: { notes: { command: 'node', args } } }));
    const { out } = await world.run(['servers']);
    expect(out).toMatch(/notes +stdio +node \/srv\/folder\/\S+….*notes-server\/index\.js stdio +\.mcp\.json:1/);
  });

  it('is one object a line with --json, without a value of env or headers', async () => {
    world.env['TOKEN'] = 'very-secret';
    await put(
      '{"mcpServers":{"a":{"command":"x","env":{"K":"${TOKEN}"}},"b":{"url":"http://h","headers":{"A":"${TOKEN}"}},"c":5}}',
    );
    const { events, out } = await world.run(['servers', '--json']);
    expect(events).toMatchObject([
      {
        event: 'server',
        name: 'a',
        kind: 'stdio',
        command: 'x',
        args: [],
        envNames: ['K'],
        format: 'claude-code',
        line: 1,
      },
      { event: 'server', name: 'b', kind: 'http', url: 'http://h', headerNames: ['A'] },
      { event: 'problem', file: join(world.folder, '.mcp.json'), line: 1, message: 'mcpServers.c must be an object' },
    ]);
    expect(out).not.toContain('very-secret');
  });

  it('lets no name act on the terminal or fake a line', async () => {
    await put(JSON.stringify({ mcpServers: { 'evil\u001b[2J\nfaked': { command: '\u001b]0;title\u0007' } } }));
    const { out } = await world.run(['servers']);
    expect(out.includes('\u001b') || out.includes('\u0007')).toBe(false);
    expect(out.split('\n').length).toBe(3);
  });

  it('says where it looked when there is nothing', async () => {
    expect((await world.run(['servers'])).out).toContain('Looked for the files of every client');
    expect(await world.run(['servers', '--json'])).toMatchObject({ code: 0, out: '' });
  });

  it('refuses a folder that is none', async () => {
    await put('{}');
    expect(await world.run(['servers', 'none'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no folder'),
    });
    expect(await world.run(['servers', '.mcp.json'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is a file'),
    });
  });

  it('looks into the folder that is named', async () => {
    await mkdir(join(world.folder, 'sub/.cursor'), { recursive: true });
    await writeFile(join(world.folder, 'sub/.cursor/mcp.json'), '{"mcpServers":{"a":{"command":"x"}}}');
    expect((await world.run(['servers', 'sub', '--json'])).events).toMatchObject([{ name: 'a', format: 'cursor' }]);
  });

  it('lists the user’s own servers after those of the workspace, and says which other files declare one', async () => {
    await put('{"mcpServers":{"a":{"command":"x"}}}');
    await mkdir(join(world.folder, 'user/.cursor'), { recursive: true });
    await writeFile(
      join(world.folder, 'user/.cursor/mcp.json'),
      '{"mcpServers":{"a":{"command":"x"},"own":{"command":"y"}}}',
    );
    const { out } = await world.run(['servers']);
    expect(out).toContain('.mcp.json:1 and 1 more');
    expect(out.indexOf('own')).toBeGreaterThan(out.indexOf('.mcp.json'));
  });

  it('shows what is developed here apart, with the reason to think so', async () => {
    Object.assign(world.env, { HOME: '/home/ada', USERPROFILE: '/home/ada' });
    await writeFile(
      join(world.folder, 'package.json'),
      '{"name":"w","dependencies":{"fastmcp":"1"},"scripts":{"start":"x"}}',
    );
    const { out, events } = await world.run(['servers', '--json']);
    expect(events).toMatchObject([{ name: 'w', guess: { confidence: 'low' }, command: 'npm' }]);
    expect(out).not.toContain('Developed here');
    expect((await world.run(['servers'])).out).toBe(
      [
        'Developed here; how they start is a guess:',
        'NAME  RUNS                    BECAUSE',
        'w     npm run --silent start  package.json depends on fastmcp, and has a script “start”',
        '',
      ].join('\n'),
    );
  });
});
