// Node projects: package.json depends on a server SDK. What starts them is a bin, the main file, or a script.
import { normalize } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { listensByItself, speechOf, type Guess, type ProjectReader, type ReadFile } from './project.ts';

const SDKS = [
  '@modelcontextprotocol/sdk',
  '@modelcontextprotocol/server',
  '@modelcontextprotocol/node',
  '@modelcontextprotocol/express',
  '@modelcontextprotocol/hono',
  '@modelcontextprotocol/fastify',
  '@modelcontextprotocol/ext-apps',
  'fastmcp',
  'mcp-framework',
  'mcp-handler',
];

/** Scripts that start something, the likeliest first. */
const SCRIPTS = ['mcp', 'start', 'serve', 'dev'];

/** Ways to start one project that are shown. */
const maxGuesses = 5;

export const readNodeProject: ProjectReader = async ({ files }, read) => {
  if (!files.has('package.json')) return [];
  const manifest = parsed(await read('package.json'));
  if (!manifest) return [];
  const sdk = SDKS.find((name) =>
    [manifest['dependencies'], manifest['devDependencies']].some((list) => has(list, name)),
  );
  const isMarked = typeof manifest['mcpName'] === 'string';
  if (sdk === undefined && !isMarked) return [];
  const why = isMarked ? 'package.json has an mcpName' : `package.json depends on ${sdk}`;
  const name = nameOf(manifest);

  const bins = await Promise.all(binsOf(manifest, name).map(([bin, path]) => binGuess(bin, path, why, manifest, read)));
  const usable = bins.filter((bin) => bin !== undefined);
  if (usable.length > 0) return usable.slice(0, maxGuesses);
  const script = await scriptGuess(manifest, name, why, read);
  return script ? [script] : [];
};

async function binGuess(
  name: string,
  path: string,
  why: string,
  manifest: JsonObject,
  read: ReadFile,
): Promise<Guess | undefined> {
  const file = normalize(path);
  if (file.startsWith('..') || file.startsWith('/')) return undefined; // Another folder's program is not this project's.
  const built = await read(file);
  const speech = speechOf(built ?? (await sourceOf(manifest, read)));
  const canBuild = has(manifest['scripts'], 'build');
  const problem =
    built === undefined
      ? `${file} does not exist${canBuild ? ': build it first (npm run build)' : ''}`
      : speech === 'http'
        ? listensByItself
        : undefined;
  const reason = `${why}, and its bin “${name}” is ${file}`;
  return {
    name,
    command: 'node',
    args: [file],
    reason,
    confidence: speech === 'stdio' ? 'high' : 'medium',
    file: 'package.json',
    ...(problem === undefined ? {} : { problem }),
  };
}

async function scriptGuess(
  manifest: JsonObject,
  name: string,
  why: string,
  read: ReadFile,
): Promise<Guess | undefined> {
  const { scripts } = manifest;
  const speech = speechOf(await sourceOf(manifest, read));
  const problem = speech === 'http' ? { problem: listensByItself } : {};
  const script = SCRIPTS.find((candidate) => has(scripts, candidate));
  if (script !== undefined) {
    // npm's own words on stdout would break the conversation.
    const args = ['run', '--silent', script];
    const reason = `${why}, and has a script “${script}”`;
    return {
      name,
      command: 'npm',
      args,
      reason,
      confidence: speech === 'stdio' ? 'medium' : 'low',
      file: 'package.json',
      ...problem,
    };
  }
  const main = typeof manifest['main'] === 'string' ? normalize(manifest['main']) : undefined;
  if (main === undefined || main.startsWith('..') || main.startsWith('/')) return undefined;
  const reason = `${why}, and its main file is ${main}`;
  return { name, command: 'node', args: [main], reason, confidence: 'low', file: 'package.json', ...problem };
}

/** The first of the usual entry points, as far as it tells how the server speaks. */
async function sourceOf(manifest: JsonObject, read: ReadFile): Promise<string | undefined> {
  const main = typeof manifest['main'] === 'string' ? [normalize(manifest['main'])] : [];
  for (const file of [
    'src/index.ts',
    'src/server.ts',
    'src/main.ts',
    'index.ts',
    'server.ts',
    ...main,
    'index.js',
    'server.js',
  ]) {
    if (file.startsWith('..') || file.startsWith('/')) continue;
    const text = await read(file);
    if (text !== undefined) return text;
  }
  return undefined;
}

function binsOf({ bin }: JsonObject, name: string): [string, string][] {
  if (typeof bin === 'string') return [[name, bin]];
  if (!isJsonObject(bin)) return [];
  return Object.entries(bin).flatMap(([key, path]) =>
    typeof path === 'string' ? [[key, path] as [string, string]] : [],
  );
}

function nameOf({ name }: JsonObject): string {
  return typeof name === 'string' && name !== '' ? name.slice(0, 200) : 'server';
}

function has(list: JsonValue | undefined, name: string): boolean {
  return isJsonObject(list) && Object.hasOwn(list, name) && typeof list[name] === 'string';
}

function parsed(text: string | undefined): JsonObject | undefined {
  try {
    const value = JSON.parse(text ?? '') as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // Half of an edit, most likely; the next look sees the rest.
  }
}
