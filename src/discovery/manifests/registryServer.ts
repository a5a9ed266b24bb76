// `server.json` of the MCP registry: how a published server is installed and run, or where it can be reached. What runs
// is the package manager's own runner, as the registry's documentation says for each kind of package.
import type { ConfigDocument, Fault } from '../configDocument.ts';
import type { ConfigText, ServerEntry } from '../configText.ts';
import { Fields } from '../fields.ts';

/** Packages and remotes read from one file; the rest is left out. */
const maxPerFile = 32;

type Stdio = Extract<ServerEntry['definition'], { kind: 'stdio' }>;

/** The runner of each registry, with what comes before the package and how a version is written. */
const RUNNERS: Readonly<
  Record<string, { command: string; before: string[]; versioned: (id: string, v: string) => string }>
> = {
  npm: { command: 'npx', before: ['-y'], versioned: (id, version) => `${id}@${version}` },
  pypi: { command: 'uvx', before: [], versioned: (id, version) => `${id}==${version}` },
  oci: {
    command: 'docker',
    before: ['run', '-i', '--rm'],
    versioned: (id, version) => (/[:@]/.test(id.split('/').at(-1) ?? '') ? id : `${id}:${version}`),
  },
  nuget: { command: 'dnx', before: ['-y'], versioned: (id, version) => `${id}@${version}` },
};

export function readRegistryServer(document: ConfigDocument): ConfigText {
  const faults: Fault[] = [...document.faults];
  const result: ConfigText = { entries: [], faults, inputs: new Map() };
  const { root } = document;
  if (root?.type !== 'object') return result;
  const file = new Fields(document, root, '', faults);
  // Other tools call their files server.json, too: the registry's say so.
  if (!file.has('packages') && !file.has('remotes')) return { ...result, faults: [] };
  const name = file.text('name')?.split('/').at(-1);
  if (!name) return result;
  const each = (list: string, read: (fields: Fields, line: number) => ServerEntry | undefined): void => {
    for (const { fields, node } of file.objects(list).slice(0, maxPerFile)) {
      const before = faults.length;
      const entry = read(fields, document.place(node.offset).line);
      if (entry && faults.length === before) result.entries.push(entry);
    }
  };
  each('packages', (fields, line) => packageEntry(fields, name, line));
  each('remotes', (fields, line) => remoteEntry(fields, name, line));
  return { ...result, entries: toldApart(result.entries) };
}

function packageEntry(fields: Fields, name: string, line: number): ServerEntry | undefined {
  const type = fields.text('registryType') ?? '';
  const identifier = fields.text('identifier');
  const version = fields.text('version');
  if (!identifier) return undefined;
  const runner = Object.hasOwn(RUNNERS, type) ? RUNNERS[type] : undefined;
  const problems: string[] = [];
  if (!runner) problems.push(`packages of “${type.slice(0, 40)}” are not run from here`);
  const transport = fields.object('transport')?.text('type');
  if (transport !== undefined && transport !== 'stdio') {
    problems.push(`it listens by itself (${transport.slice(0, 40)}): start it and expose its URL`);
  }
  const env: Stdio['env'] = [];
  for (const { fields: variable } of fields.objects('environmentVariables')) {
    const variableName = variable.text('name');
    const value = variable.text('value') ?? variable.text('default');
    if (variableName && value !== undefined) env.push([variableName, value]);
    else if (variableName && variable.boolean('isRequired')) env.push([variableName, `\${${variableName}}`]);
  }
  const before = [...(runner?.before ?? []), ...argumentsOf(fields, 'runtimeArguments', problems)];
  const what = version === undefined ? identifier : (runner?.versioned(identifier, version) ?? identifier);
  const definition: Stdio = {
    kind: 'stdio',
    command: fields.text('runtimeHint') ?? runner?.command ?? identifier,
    args: [...before, what, ...argumentsOf(fields, 'packageArguments', problems)],
    env,
    envFile: undefined,
    cwd: undefined,
  };
  return { name, line, definition, problems };
}

/** Positional and named arguments with a value; one that must be given and has none is a problem. */
function argumentsOf(fields: Fields, list: string, problems: string[]): string[] {
  return fields.objects(list).flatMap(({ fields: argument }) => {
    const name = argument.text('type') === 'named' ? argument.text('name') : undefined;
    const value = argument.text('value') ?? argument.text('default');
    if (value === undefined && argument.boolean('isRequired')) {
      problems.push(`needs a value for ${name ?? argument.text('valueHint') ?? 'an argument'}`);
    }
    if (value === undefined && !name) return [];
    return [...(name ? [name] : []), ...(value === undefined ? [] : [value])];
  });
}

function remoteEntry(fields: Fields, name: string, line: number): ServerEntry | undefined {
  const url = fields.text('url');
  if (!url) return undefined;
  const problems: string[] = [];
  const headers = fields.objects('headers').flatMap(({ fields: header }): [string, string][] => {
    const headerName = header.text('name');
    const value = header.text('value') ?? header.text('default');
    if (headerName && value === undefined && header.boolean('isRequired'))
      problems.push(`needs the header ${headerName}`);
    return headerName && value !== undefined ? [[headerName, value]] : [];
  });
  return { name, line, definition: { kind: 'http', url, headers }, problems };
}

/** Several ways to one server carry numbers. */
function toldApart(entries: readonly ServerEntry[]): ServerEntry[] {
  return entries.map((entry, index) => (index === 0 ? entry : { ...entry, name: `${entry.name} (${index + 1})` }));
}
