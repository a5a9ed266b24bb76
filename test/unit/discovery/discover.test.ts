import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discover } from '../../../src/discovery/discover.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcpt-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}
const found = (env = {}) => discover([folder], env, '/home/ada', 'linux');

describe('discover', () => {
  it('finds nothing in an empty folder, and in one that does not exist', async () => {
    expect(await found()).toEqual({ servers: [], problems: [] });
    expect(await discover([join(folder, 'none')], {}, '/home/ada')).toEqual({ servers: [], problems: [] });
  });

  it('reads all three files, each with the variables of its own client', async () => {
    await put('.vscode/mcp.json', {
      servers: { code: { command: 'node', args: ['${workspaceFolder}/s.mjs', '${X}'] } },
    });
    await put('.mcp.json', { mcpServers: { claude: { command: 'node', args: ['${X}', '${WS_ARG:-dflt}'] } } });
    await put('.cursor/mcp.json', { mcpServers: { cursor: { url: 'http://localhost:${env:PORT}/mcp' } } });
    const { servers, problems } = await found({ X: 'x', PORT: '3001' });
    expect(problems).toEqual([]);
    expect(servers.map(({ name, source, transport, problem }) => ({ name, source, transport, problem }))).toEqual([
      {
        name: 'code',
        source: { format: 'vscode', scope: 'workspace', file: join(folder, '.vscode/mcp.json'), line: 1 },
        transport: { kind: 'stdio', command: 'node', args: [join(folder, 's.mjs'), '${X}'], env: {}, cwd: folder },
        problem: 'the variable ${X} is not known',
      },
      {
        name: 'claude',
        source: { format: 'claude-code', scope: 'workspace', file: join(folder, '.mcp.json'), line: 1 },
        transport: { kind: 'stdio', command: 'node', args: ['x', 'dflt'], env: {}, cwd: folder },
        problem: undefined,
      },
      {
        name: 'cursor',
        source: { format: 'cursor', scope: 'workspace', file: join(folder, '.cursor/mcp.json'), line: 1 },
        transport: { kind: 'http', url: 'http://localhost:3001/mcp', headers: {} },
        problem: undefined,
      },
    ]);
  });

  it('gives the same id on every run, and another one for another file or name', async () => {
    await put('.mcp.json', { mcpServers: { a: { command: 'x' }, b: { command: 'x' } } });
    await put('.cursor/mcp.json', { mcpServers: { a: { command: 'y' } } });
    const ids = (await found()).servers.map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect((await found()).servers.map(({ id }) => id)).toEqual(ids);
  });

  it('reads what Claude Code keeps for this folder, not for others', async () => {
    const server = (command: string) => ({ mcpServers: { local: { command } } });
    await put('home/.claude.json', { projects: { [folder]: server('ours'), '/other': server('theirs') } });
    const { servers } = await discover([folder], {}, join(folder, 'home'), 'linux');
    expect(servers.map(({ transport, source }) => [transport, source.scope])).toMatchObject([
      [{ command: 'ours' }, 'user'],
    ]);
  });

  it('lists the very same server once, with every file that declares it', async () => {
    const same = { mcpServers: { a: { command: 'x' } } };
    await put('.mcp.json', same);
    await put('.cursor/mcp.json', same);
    const { servers } = await found();
    expect(servers.map(({ source, alsoIn }) => [source.format, alsoIn?.map(({ format }) => format)])).toEqual([
      ['claude-code', ['cursor']],
    ]);
  });

  it('takes the user’s own files once where the home folder is the workspace', async () => {
    await put('.cursor/mcp.json', { mcpServers: { a: { command: 'x' } } });
    const { servers } = await discover([folder], {}, folder, 'linux');
    expect(servers.map(({ source, alsoIn }) => [source.scope, alsoIn])).toEqual([['workspace', undefined]]);
  });

  it.each([
    ['darwin', {}, 'Library/Application Support/Claude/claude_desktop_config.json'],
    ['win32', { APPDATA: 'APPDATA' }, 'Claude/claude_desktop_config.json'],
    ['linux', { XDG_CONFIG_HOME: 'XDG_CONFIG_HOME' }, 'Claude/claude_desktop_config.json'],
    ['linux', { CODEX_HOME: 'CODEX_HOME' }, 'config.toml'],
  ] as const)('looks on %s with %j into %s', async (platform, named, file) => {
    const text = file.endsWith('.toml') ? '[mcp_servers.a]\ncommand = "x"' : { mcpServers: { a: { command: 'x' } } };
    await put(`base/${file}`, text);
    const env = Object.fromEntries(Object.keys(named).map((name) => [name, join(folder, 'base')]));
    const { servers } = await discover([folder], env, join(folder, 'base'), platform);
    expect(servers.map(({ name }) => name)).toEqual(['a']);
  });

  it('fills env from the envFile, the definition winning, null unsetting', async () => {
    await put('.env', 'A=file\nB=file\nC=file\n');
    await put('.vscode/mcp.json', {
      servers: { s: { command: 'x', envFile: '${workspaceFolder}/.env', env: { B: '${env:TOKEN}', C: null, N: 1 } } },
    });
    const [server] = (await found({ TOKEN: 't' })).servers;
    expect(server?.transport).toMatchObject({ env: { A: 'file', B: 't', C: null, N: '1' } });
    expect(server?.problem).toBeUndefined();
  });

  it('keeps a variable that is called like a part of every object', async () => {
    await put('.mcp.json', '{"mcpServers":{"s":{"command":"x","env":{"__proto__":"v","constructor":"w"}}}}');
    const [server] = (await found()).servers;
    const env = server?.transport.kind === 'stdio' ? server.transport.env : {};
    expect(Object.entries(env)).toEqual([
      ['__proto__', 'v'],
      ['constructor', 'w'],
    ]);
  });

  it.each([
    [{ command: 'x', envFile: 'none.env' }, /envFile .*none\.env does not exist/],
    [{ command: 'x', env: { 'A=B': '1' } }, /“A=B” cannot name a variable/],
    [{ url: 'not a url' }, /its url is not a URL/],
    [{ url: 'unix:///run/x.sock' }, /starts with unix:/],
    [{ url: 'http://user:secret@localhost/mcp' }, /user name or password/],
    [{ url: 'http://h/mcp', headers: { 'Bad Name': 'x' } }, /header “Bad Name”/],
    [{ url: 'http://h/mcp', headers: { A: 'x\r\nB: y' } }, /header “A”/],
    [{ url: 'http://h/mcp', headers: { Authorization: 'Bearer ${input:key}' } }, /needs input “key”/],
    [{ url: '${input:url}' }, /^needs input “url”, which the file does not define$/],
  ])('lists %j with its problem', async (definition, problem) => {
    await put('.vscode/mcp.json', { inputs: [{ id: 'key' }], servers: { s: definition } });
    expect((await found()).servers[0]?.problem).toMatch(problem);
  });

  it('anchors relative folders in the workspace', async () => {
    await put('.vscode/mcp.json', { servers: { s: { command: 'x', cwd: 'sub/dir' } } });
    expect((await found()).servers[0]?.transport).toMatchObject({ cwd: join(folder, 'sub/dir') });
  });

  it('reports a file that cannot be read and still reads the others', async () => {
    await put('.vscode/mcp.json', '\u0000\u0001binary');
    await mkdir(join(folder, '.mcp.json'));
    await mkdir(join(folder, '.cursor'));
    await symlink('mcp.json', join(folder, '.cursor/mcp.json'));
    expect((await found()).problems).toEqual([
      { file: join(folder, '.vscode/mcp.json'), message: 'is a binary file, not text' },
      { file: join(folder, '.mcp.json'), message: 'is a folder, not a file' },
      { file: join(folder, '.cursor/mcp.json'), message: 'is a symbolic link that leads back to itself' },
    ]);
    await rm(join(folder, '.mcp.json'), { recursive: true });
    await put('.mcp.json', { mcpServers: { fine: { command: 'x' } } });
    expect((await found()).servers.map(({ name }) => name)).toEqual(['fine']);
  });

  it('places faults in file, line and column', async () => {
    await put('.mcp.json', '{\n  "mcpServers": {\n    "a": { "command": 5 }\n  }\n}');
    expect((await found()).problems).toEqual([
      { file: join(folder, '.mcp.json'), line: 3, column: 23, message: 'mcpServers.a.command must be a text' },
    ]);
  });

  it('looks into each folder once and resolves a named folder among all', async () => {
    const other = join(folder, 'other');
    await mkdir(other);
    await put('.vscode/mcp.json', { servers: { s: { command: '${workspaceFolder:other}/run' } } });
    const { servers } = await discover([folder, `${folder}/`, other], {}, '/home/ada');
    expect(servers.map(({ transport }) => transport)).toMatchObject([{ command: `${other}/run` }]);
  });
});
