// The shape most clients share: a JSON object whose one key (`servers`, `mcpServers`) holds the servers by name.
// A part that is damaged or of the wrong type is reported with its place; what stands beside it is still read.
import type { Node } from 'jsonc-parser';
import type { ConfigText, ServerEntry } from './configReader.ts';
import { Fields, properties, type Property } from './fields.ts';
import type { Fault } from './configDocument.ts';
import { JsoncDocument } from './jsoncDocument.ts';

/** Servers read from one file; the rest is reported and left out. */
export const maxServersPerFile = 256;

/** Longest name of a server. */
export const maxServerName = 200;

export type JsonServersOptions = {
  key: 'servers' | 'mcpServers';
  /** Whether this client takes numbers, booleans and `null` (unset) as values of `env`. */
  looseEnv: boolean;
};

export function readJsonServers(text: string, options: JsonServersOptions): ConfigText {
  const document = new JsoncDocument(text);
  const result: ConfigText = { entries: [], faults: [...document.faults], inputs: new Map() };
  const { root } = document;
  if (!root) return result;
  if (root.type !== 'object') {
    if (document.faults.length === 0)
      result.faults.push({ line: 1, column: 1, message: 'the file must hold an object' });
    return result;
  }

  readInputs(root, result.inputs);
  const holders = properties(root).filter(({ name }) => name === options.key);
  for (const holder of holders) readHolder(document, holder, options, result);
  if (holders.length > 1) {
    const message = `“${options.key}” stands in this file twice; keep one`;
    result.faults.push({ ...document.place(holders[1]?.key.offset ?? 0), message });
    for (const entry of result.entries) entry.problems.push(message);
  }
  return result;
}

function readHolder(document: JsoncDocument, holder: Property, options: JsonServersOptions, result: ConfigText): void {
  const fault = (node: Node, message: string): void => {
    result.faults.push({ ...document.place(node.offset), message });
  };
  if (!holder.value) return;
  if (holder.value.type !== 'object') return fault(holder.value, `${options.key} must be an object of servers by name`);

  const all = properties(holder.value);
  const firstLines = new Map<string, number>();
  for (const { name, key, value } of all.slice(0, maxServersPerFile)) {
    const { line } = document.place(key.offset);
    const path = `${options.key}.${name.slice(0, maxServerName)}`;
    if (name.trim() === '' || name.length > maxServerName) {
      fault(key, `the name of a server has 1 to ${maxServerName} characters`);
      continue;
    }
    if (!value || document.isDamaged(value)) {
      fault(key, `${path} is damaged and was left out`);
      continue;
    }
    if (value.type !== 'object') {
      fault(value, `${path} must be an object`);
      continue;
    }
    const faults: Fault[] = [];
    // What has the wrong type is said already; that it is then missing would be its echo.
    const refuse = (message: string): undefined => {
      if (faults.length === 0) faults.push({ ...document.place(key.offset), message });
    };
    const entry = readEntry(new Fields(document, value, path, faults), name, line, options, refuse);
    result.faults.push(...faults);
    if (!entry || faults.length > 0) continue;
    const first = firstLines.get(name);
    if (first === undefined) firstLines.set(name, line);
    else markTwice(result, entry, first, fault, key);
    result.entries.push(entry);
  }
  if (all.length > maxServersPerFile) {
    fault(holder.key, `only the first ${maxServersPerFile} of ${all.length} servers were read`);
  }
}

/** Clients disagree on which of two definitions counts, so neither may be exposed; the last one is listed. */
function markTwice(
  result: ConfigText,
  entry: ServerEntry,
  firstLine: number,
  fault: (node: Node, message: string) => void,
  key: Node,
): void {
  const message = `“${entry.name}” is defined twice, first in line ${firstLine}; keep one`;
  fault(key, message);
  entry.problems.push(message);
  result.entries = result.entries.filter(({ name }) => name !== entry.name);
}

const TRANSPORTS: Record<string, 'stdio' | 'http' | 'sse' | 'ws'> = {
  stdio: 'stdio',
  local: 'stdio',
  http: 'http',
  'streamable-http': 'http',
  streamableHttp: 'http',
  sse: 'sse',
  ws: 'ws',
};

function readEntry(
  fields: Fields,
  name: string,
  line: number,
  options: JsonServersOptions,
  refuse: (message: string) => undefined,
): ServerEntry | undefined {
  const command = fields.text('command');
  const url = fields.text('url');
  const type = fields.text('type');
  const problems: string[] = [];
  if (fields.boolean('disabled') === true) problems.push('it is disabled in this file');
  if (fields.has('headersHelper'))
    problems.push('it takes its headers from a command (headersHelper), which is not run');

  if (type === undefined && command !== undefined && url !== undefined) {
    return refuse(`${fields.path} has both a command and a url; say which with “type”`);
  }
  const inferred = command === undefined ? 'http' : 'stdio';
  const transport = type === undefined ? inferred : Object.hasOwn(TRANSPORTS, type) ? TRANSPORTS[type] : undefined;
  if (transport === undefined) {
    return refuse(`${fields.path}.type “${(type ?? '').slice(0, 40)}” is not known; it is stdio or http`);
  }

  if (transport === 'stdio') {
    if (!command) return refuse(`${fields.path} has no command`);
    const definition = {
      kind: 'stdio' as const,
      command,
      args: fields.texts('args'),
      env: fields.record('env', options.looseEnv),
      envFile: fields.text('envFile'),
      cwd: fields.text('cwd'),
    };
    return { name, line, definition, problems };
  }
  if (!url) return refuse(`${fields.path} has neither a command nor a url`);
  if (transport !== 'http')
    problems.push(`its transport (${transport}) is not supported; MCP Tunnel speaks http and stdio`);
  const headers = fields.record('headers', false).map(([header, value]): [string, string] => [header, value ?? '']);
  return { name, line, definition: { kind: 'http', url, headers }, problems };
}

/** VS Code's list of what it asks a person for. Only its ids matter here, so a wrong shape is no fault. */
function readInputs(root: Node, inputs: Map<string, string>): void {
  const list = properties(root).find(({ name }) => name === 'inputs')?.value;
  if (list?.type !== 'array') return;
  for (const item of list.children ?? []) {
    if (item.type !== 'object') continue;
    const texts = new Map(
      properties(item).map(({ name, value }) => [name, value?.type === 'string' ? value.value : '']),
    );
    const id = texts.get('id') as string | undefined;
    if (id) inputs.set(id, (texts.get('description') as string | undefined) ?? '');
  }
}
