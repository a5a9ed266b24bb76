// Projects whose manifest is only searched for the name of an SDK: Go, Rust, .NET, Java, PHP, Ruby. Their build tools
// start them; where the SDK listens on HTTP by nature, the person starts the server and exposes its URL.
import { listensByItself, speechOf, type Guess, type ProjectReader, type ReadFile } from './project.ts';
import type { WalkedFolder } from './walk.ts';

type Ecosystem = {
  manifest: (name: string) => boolean;
  sdk: RegExp;
  start: (folder: WalkedFolder, manifest: string, read: ReadFile) => Promise<Start | undefined> | Start | undefined;
};

type Start = Pick<Guess, 'command' | 'args'> & Partial<Pick<Guess, 'problem' | 'confidence'>>;

const ECOSYSTEMS: readonly Ecosystem[] = [
  {
    manifest: (name) => name === 'go.mod',
    sdk: /github\.com\/(?:modelcontextprotocol\/go-sdk|mark3labs\/mcp-go)\b/,
    start: async ({ files, folders }, _manifest, read) => {
      if (files.has('main.go')) return { command: 'go', args: ['run', '.'], ...spoken(await read('main.go')) };
      return folders.includes('cmd') ? { command: 'go', args: ['run', './cmd/...'], confidence: 'low' } : undefined;
    },
  },
  {
    manifest: (name) => name === 'Cargo.toml',
    sdk: /^\s*rmcp\s*=|^\s*\[dependencies\.rmcp\]/m,
    start: async (_folder, _manifest, read) => ({
      command: 'cargo',
      args: ['run', '-q'],
      ...spoken(await read('src', 'main.rs')),
    }),
  },
  {
    manifest: (name) => name.endsWith('.csproj'),
    sdk: /Include\s*=\s*"ModelContextProtocol(?:\.\w+)?"/,
    start: async (_folder, manifest, read) => {
      const isWeb = /"ModelContextProtocol\.AspNetCore"/.test((await read(manifest)) ?? '');
      const args = ['run', '--project', manifest];
      return { command: 'dotnet', args, ...(isWeb ? { problem: listensByItself } : spoken(await read('Program.cs'))) };
    },
  },
  {
    manifest: (name) => name === 'pom.xml' || name === 'build.gradle' || name === 'build.gradle.kts',
    sdk: /io\.modelcontextprotocol\.sdk|spring-ai-starter-mcp-server|spring-ai-mcp-server/,
    start: (_folder, manifest) => ({
      command: manifest === 'pom.xml' ? 'mvn' : 'gradle',
      args: manifest === 'pom.xml' ? ['-q', 'spring-boot:run'] : ['-q', 'run'],
      confidence: 'low',
      problem: listensByItself,
    }),
  },
  {
    manifest: (name) => name === 'composer.json',
    sdk: /"(?:mcp\/sdk|php-mcp\/server|php-mcp\/laravel|logiscape\/mcp-sdk-php)"\s*:/,
    start: ({ files }) => script(files, 'php', ['server.php', 'mcp.php', 'index.php']),
  },
  {
    manifest: (name) => name === 'Gemfile',
    sdk: /^\s*gem\s+['"](?:mcp|fast-mcp|model-context-protocol-rb)['"]/m,
    start: ({ files }) => script(files, 'ruby', ['server.rb', 'mcp_server.rb', 'main.rb']),
  },
];

export const readCompiledProject: ProjectReader = async (folder, read) => {
  const guesses: Guess[] = [];
  for (const { manifest, sdk, start } of ECOSYSTEMS) {
    const file = [...folder.files].find(manifest);
    const found = file === undefined ? undefined : sdk.exec((await read(file)) ?? '');
    if (file === undefined || !found) continue;
    const how = await start(folder, file, read);
    if (!how) continue;
    const name = folder.folder.split(/[\\/]/).at(-1) ?? 'server';
    const reason = `${file} depends on ${found[0]
      .replaceAll(/[^\w./-]+/g, ' ')
      .trim()
      .slice(0, 80)}`;
    guesses.push({ name, confidence: 'medium', reason, file, ...how });
  }
  return guesses;
};

function spoken(source: string | undefined): Partial<Start> {
  const speech = speechOf(source);
  if (speech === 'http') return { problem: listensByItself };
  return speech === 'stdio' ? { confidence: 'high' } : {};
}

function script(files: ReadonlySet<string>, command: string, names: readonly string[]): Start | undefined {
  const found = names.find((name) => files.has(name));
  return found === undefined ? undefined : { command, args: [found], confidence: 'low' };
}
