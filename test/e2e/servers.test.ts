import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandWorld } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

describe('mcp-tunnel servers', () => {
  it('finds what a workspace defines, and says where each file is wrong', async () => {
    await world.put(
      '.vscode/mcp.json',
      `{
  // our server
  "inputs": [{ "type": "promptString", "id": "key", "description": "API key", "password": true }],
  "servers": {
    "ready": { "command": "node", "args": ["\${workspaceFolder}/s.mjs"], },
    "needs": { "type": "http", "url": "http://localhost:3001/mcp", "headers": { "Authorization": "Bearer \${input:key}" } },
  },
}`,
    );
    await world.put(
      '.mcp.json',
      '{\n  "mcpServers": {\n    "sound": { "command": "x" },\n    "broken": { "command": \n  }\n}',
    );
    await mkdir(join(world.folder, '.cursor/mcp.json'), { recursive: true });

    const { code, events, err } = await world.run(['servers', '--json']);
    expect([code, err]).toEqual([0, '']);
    expect(events).toMatchObject([
      { event: 'server', name: 'ready', kind: 'stdio', args: [join(world.folder, 's.mjs')], line: 5 },
      { event: 'server', name: 'needs', kind: 'http', problem: 'needs input “key” (API key)', line: 6 },
      { event: 'server', name: 'sound', format: 'claude-code', line: 3 },
      { event: 'problem', file: join(world.folder, '.mcp.json'), line: 5, message: 'a value is expected here' },
      { event: 'problem', line: 6, message: 'the file ends where a } is missing' },
      { event: 'problem', line: 4, message: 'mcpServers.broken is damaged and was left out' },
      { event: 'problem', file: join(world.folder, '.cursor/mcp.json'), message: 'is a folder, not a file' },
    ]);

    const human = await world.run(['servers']);
    expect(human.code).toBe(0);
    expect(human.out).toContain('.vscode/mcp.json:5');
    expect(human.out).toContain('.mcp.json:5:3: a value is expected here');
  });

  it('says which files hold secrets in plain text, and never which', async () => {
    const secret = 'kJ8s7Hq2Lm4Np6Qr9St1Uv3W';
    await world.put('.mcp.json', { mcpServers: { open: { command: 'x', env: { API_KEY: secret } } } });
    const { events, out } = await world.run(['servers', '--json']);
    expect(events[0]).toMatchObject({ name: 'open', secrets: { where: ['env API_KEY'], committed: false } });
    const human = await world.run(['servers']);
    expect(human.out).toContain('open: its file contains what looks like a secret: env API_KEY (.mcp.json:1)');
    expect(out + human.out).not.toContain(secret);
  });

  it('prints no value of env or headers, and nothing that acts on a terminal', async () => {
    await world.put('.mcp.json', {
      mcpServers: {
        'evil\u001b[2J': { command: 'x', env: { TOKEN: '${SECRET}' } },
        b: { url: 'http://h', headers: { A: '${SECRET}' } },
      },
    });
    for (const words of [['servers'], ['servers', '--json']]) {
      const { out, err } = await world.run(words, { env: { SECRET: 'very-secret' } });
      expect(out + err).not.toContain('very-secret');
      expect(out.includes('\u001b')).toBe(false);
    }
  });

  it('runs nothing of what it finds', async () => {
    const touch = ['-e', 'require("fs").writeFileSync("ran", "")'];
    await world.put('.vscode/mcp.json', {
      servers: { a: { command: process.execPath, args: touch, cwd: '${command:touch ran}' } },
    });
    await world.run(['servers']);
    await expect(mkdir(join(world.folder, 'ran'))).resolves.toBeUndefined();
  });

  it('names a folder that is not there', async () => {
    expect(await world.run(['servers', 'none'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('none'),
    });
  });

  it('are run exactly as they are declared: nothing in them is for a shell', async () => {
    const words = ['$(touch a)', ';touch b', '`touch c`', '*', '~', '"', "'", 'x y', '&& touch d', '%PATH%', '\\', ''];
    await world.put(
      'print.mjs',
      "import { writeFileSync } from 'node:fs';\nwriteFileSync('argv.json', JSON.stringify(process.argv.slice(2)));\n",
    );
    await world.put('.mcp.json', { mcpServers: { odd: { command: process.execPath, args: ['print.mjs', ...words] } } });
    const { code } = await world.run(['expose', 'odd', '--json']);
    expect(code).toBe(5); // It is no server, and ended at once.
    expect(JSON.parse(await readFile(join(world.folder, 'argv.json'), 'utf8'))).toEqual(words);
    expect((await readdir(world.folder)).toSorted()).toEqual(['.mcp.json', 'argv.json', 'print.mjs']);
  });
});
