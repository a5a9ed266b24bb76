// Python projects: pyproject.toml or requirements.txt names an SDK. What starts them is a script of the project, or a
// file that makes a server.
import { parse, type TomlTable } from 'smol-toml';
import { listensByItself, speechOf, type Guess, type ProjectReader, type ReadFile } from './project.ts';

const SDK = /^\s*(mcp|fastmcp|mcp-server|modelcontextprotocol)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;@(,]|$)/i;

/** Files that often hold the server, the likeliest first. */
const ENTRIES = ['server.py', 'main.py', 'app.py', 'mcp_server.py', '__main__.py'];

const MAKES_SERVER = /\bFastMCP\s*\(|\bMCPServer\s*\(|\bmcp\.server\b|from\s+mcp\.server\b/;

export const readPythonProject: ProjectReader = async ({ files, folder }, read) => {
  if (!files.has('pyproject.toml') && !files.has('requirements.txt')) return [];
  const project = tableOf(await read('pyproject.toml'));
  const wanted = [...dependenciesOf(project), ...((await read('requirements.txt')) ?? '').split(/\r?\n/)];
  const sdk = wanted.map((line) => SDK.exec(line)?.[1]).find((name) => name !== undefined);
  if (sdk === undefined) return [];
  const file = project ? 'pyproject.toml' : 'requirements.txt';
  const why = `${file} depends on ${sdk}`;
  const usesUv = files.has('uv.lock');

  const scripts = project?.['scripts'];
  if (isTable(scripts) && Object.keys(scripts).length > 0) {
    return Object.entries(scripts)
      .slice(0, 5)
      .map(([name, target]): Guess => {
        const reason = `${why}, and has a script “${name}” (${typeof target === 'string' ? target.slice(0, 80) : '?'})`;
        return { name, command: 'uv', args: ['run', name], reason, confidence: 'medium', file };
      });
  }
  const found = await entryIn(files, read);
  if (!found) return [];
  const { path, speech } = found;
  return [
    {
      name:
        typeof project?.['name'] === 'string'
          ? project['name'].slice(0, 200)
          : (folder.split(/[\\/]/).at(-1) ?? 'server'),
      command: usesUv ? 'uv' : 'python',
      args: usesUv ? ['run', path] : [path],
      reason: `${why}, and ${path} makes a server`,
      confidence: speech === 'stdio' ? 'high' : 'medium',
      file,
      ...(speech === 'http' ? { problem: listensByItself } : {}),
    },
  ];
};

async function entryIn(
  files: ReadonlySet<string>,
  read: ReadFile,
): Promise<{ path: string; speech: string } | undefined> {
  const others = [...files].filter((name) => name.endsWith('.py') && !ENTRIES.includes(name)).sort();
  for (const path of [...ENTRIES.filter((name) => files.has(name)), ...others].slice(0, 20)) {
    const text = await read(path);
    if (text !== undefined && MAKES_SERVER.test(text)) return { path, speech: speechOf(text) };
  }
  return undefined;
}

/** `[project]` of PEP 621, or Poetry's part, with its dependencies as lines. */
function dependenciesOf(project: TomlTable | undefined): string[] {
  const list = project?.['dependencies'];
  if (Array.isArray(list)) return list.filter((line): line is string => typeof line === 'string');
  return isTable(list) ? Object.keys(list) : [];
}

function tableOf(text: string | undefined): TomlTable | undefined {
  if (text === undefined) return undefined;
  try {
    const file = parse(text, { maxDepth: 64 });
    const { project, tool } = file;
    if (isTable(project)) return project;
    return isTable(tool) && isTable(tool['poetry']) ? tool['poetry'] : {};
  } catch {
    return undefined; // Half of an edit, most likely.
  }
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
