import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discover } from '../../../../src/discovery/discover.ts';
import { findProjects } from '../../../../src/discovery/projects/findProjects.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcpt-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}

const found = async () =>
  (await findProjects(folder)).map(({ name, transport, guess, problem }) => ({
    name,
    runs: transport.kind === 'stdio' ? [transport.command, ...transport.args].join(' ') : transport.url,
    confidence: guess?.confidence,
    ...(problem === undefined ? {} : { problem }),
  }));

const sdk = { '@modelcontextprotocol/sdk': '^1.0.0' };

describe('projects', () => {
  it('of Node are started by their bin, when it is built', async () => {
    await put('package.json', {
      name: 'x',
      dependencies: sdk,
      bin: { weather: './dist/cli.js' },
      scripts: { build: 'tsc' },
    });
    expect(await found()).toEqual([
      {
        name: 'weather',
        runs: 'node dist/cli.js',
        confidence: 'medium',
        problem: 'dist/cli.js does not exist: build it first (npm run build)',
      },
    ]);
    await put('dist/cli.js', 'const t = new StdioServerTransport();');
    expect(await found()).toEqual([{ name: 'weather', runs: 'node dist/cli.js', confidence: 'high' }]);
  });

  it('of Node without a bin are started by a script that says nothing of its own', async () => {
    await put('package.json', {
      name: 'x',
      devDependencies: { fastmcp: '1' },
      scripts: { test: 'y', dev: 'tsx src/index.ts' },
    });
    await put('src/index.ts', 'server.start({ transportType: "stdio" }); new StdioServerTransport()');
    expect(await found()).toEqual([{ name: 'x', runs: 'npm run --silent dev', confidence: 'medium' }]);
  });

  it('that listen on HTTP are for their developer to start', async () => {
    await put('package.json', { name: 'x', dependencies: sdk, main: 'server.js' });
    await put('server.js', 'new StreamableHTTPServerTransport({})');
    expect(await found()).toMatchObject([{ problem: 'it listens on HTTP: start it, then expose its URL' }]);
  });

  it.each([
    ['a client', { dependencies: { '@modelcontextprotocol/client': '1' }, bin: 'x.js' }],
    ['something else', { dependencies: { express: '4' }, scripts: { start: 'x' } }],
    ['a library without a start', { dependencies: sdk }],
    ['a bin outside', { dependencies: sdk, bin: '../../bin/sh' }],
    ['an absolute bin', { dependencies: sdk, bin: '/bin/sh' }],
    ['names of every object', { dependencies: [], bin: { constructor: 1 } }],
  ])('are not made of %s', async (_what, manifest) => {
    await put('package.json', manifest);
    expect(await found()).toEqual([]);
  });

  it.each([
    [
      'pyproject.toml',
      '[project]\nname = "w"\ndependencies = ["mcp[cli]>=1.2"]\n[project.scripts]\nserve = "w:main"\n',
      'uv run serve',
    ],
    ['pyproject.toml', '[tool.poetry]\nname = "w"\n[tool.poetry.dependencies]\nfastmcp = "^2"\n', 'python server.py'],
    ['requirements.txt', 'httpx\nfastmcp==2.1\n', 'python server.py'],
  ])('of Python are found by %s', async (file, text, runs) => {
    await put(file, text);
    await put('server.py', 'mcp = FastMCP("w")\nmcp.run(transport="stdio")\n');
    expect((await found()).map((guess) => guess.runs)).toEqual([runs]);
  });

  it('of Python that only name something like it are none', async () => {
    await put('requirements.txt', 'mcpherson==1\nnot-mcp\n# mcp\n');
    await put('server.py', 'FastMCP()');
    expect(await found()).toEqual([]);
  });

  it.each([
    ['go.mod', 'require github.com/modelcontextprotocol/go-sdk v1.0.0\n', { 'main.go': 'package main' }, 'go run .'],
    ['Cargo.toml', '[dependencies]\nrmcp = "0.8"\n', { 'src/main.rs': 'rmcp::transport::stdio()' }, 'cargo run -q'],
    [
      'a.csproj',
      '<PackageReference Include="ModelContextProtocol" Version="1" />',
      {},
      'dotnet run --project a.csproj',
    ],
    ['composer.json', '{"require":{"php-mcp/server":"^3"}}', { 'server.php': '<?php' }, 'php server.php'],
    ['Gemfile', "gem 'mcp'\n", { 'server.rb': 'x' }, 'ruby server.rb'],
    ['pom.xml', '<groupId>io.modelcontextprotocol.sdk</groupId>', {}, 'mvn -q spring-boot:run'],
  ])('are found by %s', async (file, text, others, runs) => {
    await put(`sub/${file}`, text);
    for (const [name, content] of Object.entries(others)) await put(`sub/${name}`, content);
    expect((await found()).map((guess) => guess.runs)).toEqual([runs]);
  });

  it('are looked for in a monorepo, but not in what was installed or built, nor behind a link', async () => {
    const project = { name: 'p', dependencies: sdk, main: 'i.js' };
    for (const at of ['packages/a', 'apps/b/c', 'node_modules/n', 'dist/d', '.hidden/h', 'x/vendor/v']) {
      await put(`${at}/package.json`, { ...project, name: at });
    }
    await symlink(folder, join(folder, 'packages/loop'));
    expect((await found()).map(({ name }) => name).sort()).toEqual(['apps/b/c', 'packages/a']);
  });

  it('that a file declares anyway are not guessed at', async () => {
    await put('package.json', { name: 'x', dependencies: sdk, bin: 'cli.js' });
    await put('cli.js', '');
    const list = async () => (await discover([folder], {}, '/home/ada')).servers.map(({ name }) => name);
    expect(await list()).toEqual(['x']);
    await put('.mcp.json', { mcpServers: { declared: { command: 'node', args: ['./cli.js'] } } });
    expect(await list()).toEqual(['declared']);
  });

  it('are not looked for in the home folder', async () => {
    await put('package.json', { name: 'x', dependencies: sdk, main: 'i.js' });
    expect((await discover([folder], {}, folder)).servers).toEqual([]);
  });

  it.each(['package.json', 'pyproject.toml', 'go.mod', 'Cargo.toml', 'pom.xml'])(
    'live with a broken %s',
    async (file) => {
      await put(file, '\u0000{"dependencies": [fastmcp');
      await put(`b/${file}`, '{"dependencies": {"fastmcp": ');
      expect(await found()).toEqual([]);
    },
  );
});
