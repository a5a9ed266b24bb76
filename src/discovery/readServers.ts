// Reads the servers of one configuration file, whatever its client and syntax. A part that is damaged or of the wrong
// type is reported with its place; what stands beside it is still read.
import { getNodeValue, type Node } from 'jsonc-parser';
import type { ServerInput } from '../core/server.ts';
import type { ConfigDocument, Fault } from './configDocument.ts';
import type { ConfigText, ServerEntry } from './configText.ts';
import { Fields, properties, type Property } from './fields.ts';
import { readInput } from './readInput.ts';
import type { ServerDialect } from './serverDialect.ts';
import { readEntry } from './serverEntry.ts';

/** Servers read from one file; the rest is reported and left out. */
export const maxServersPerFile = 256;

/** What one file may ask for; the rest counts as not defined. */
export const maxInputsPerFile = 64;

/** Longest name of a server. */
export const maxServerName = 200;

/** `folders`: paths of the workspace, for files that keep servers by folder. */
export function readServers(
  document: ConfigDocument,
  dialect: ServerDialect,
  folders: readonly string[] = [],
): ConfigText {
  const result: ConfigText = { entries: [], faults: [...document.faults], inputs: new Map() };
  const { root } = document;
  if (!root) return result;
  if (root.type !== 'object') {
    if (document.faults.length === 0)
      result.faults.push({ line: 1, column: 1, message: 'the file must hold an object' });
    return result;
  }
  for (const path of placesOf(dialect, folders)) {
    const { holders, around, twice } = find(document, root, path);
    for (const node of around) readInputs(node, result.inputs);
    const before = result.entries.length;
    for (const holder of holders) readHolder(document, holder, path.join('.'), dialect, result);
    if (!twice) continue;
    result.faults.push(twice);
    for (const entry of result.entries.slice(before)) entry.problems.push(twice.message);
  }
  return result;
}

function placesOf({ at }: ServerDialect, folders: readonly string[]): string[][] {
  return at.flatMap((path) => {
    const byFolder = path.some((step) => typeof step !== 'string');
    return (byFolder ? folders : ['']).map((folder) => path.map((step) => (typeof step === 'string' ? step : folder)));
  });
}

type Holder = { key: Node; value: Node };

/** What stands at the end of the path, and the objects around it. A key on the way that stands twice is a fault. */
function find(
  document: ConfigDocument,
  root: Node,
  path: readonly string[],
): { holders: Holder[]; around: Node[]; twice?: Fault } {
  let holders: Holder[] = [{ key: root, value: root }];
  const around: Node[] = [];
  let twice: Fault | undefined;
  for (const step of path) {
    around.push(...holders.map(({ value }) => value));
    holders = holders.flatMap(({ value: outer }) =>
      properties(outer).flatMap(({ name, key, value }) => (name === step && value ? [{ key, value }] : [])),
    );
    if (holders.length < 2) continue;
    const message = `“${step}” stands in this file twice; keep one`;
    twice ??= { ...document.place(holders[1]?.key.offset ?? 0), message };
  }
  return { holders, around, ...(twice ? { twice } : {}) };
}

function readHolder(
  document: ConfigDocument,
  { key: holderKey, value: holder }: Holder,
  at: string,
  dialect: ServerDialect,
  result: ConfigText,
): void {
  const fault = (node: Node, message: string): void => {
    result.faults.push({ ...document.place(node.offset), message });
  };
  const isList = dialect.shape === 'list';
  if (holder.type === 'null') return; // YAML's way to leave it empty.
  if (holder.type !== (isList ? 'array' : 'object')) {
    return fault(holder, `${at} must be ${isList ? 'a list of servers' : 'an object of servers by name'}`);
  }
  const all = isList ? listed(holder) : properties(holder);
  const firstLines = new Map<string, number>();
  for (const { name, key, value } of all.slice(0, maxServersPerFile)) {
    const { line } = document.place(key.offset);
    const path = `${at}.${name.slice(0, maxServerName)}`;
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
    if (isForeign(value, dialect) || isPlace(name, value, at, dialect)) continue;
    const faults: Fault[] = [];
    // What has the wrong type is said already; that it is then missing would be its echo.
    const refuse = (message: string): undefined => {
      if (faults.length === 0) faults.push({ ...document.place(key.offset), message });
    };
    const entry = readEntry(new Fields(document, value, path, faults), name, line, dialect, refuse);
    result.faults.push(...faults);
    if (!entry || faults.length > 0) continue;
    const first = firstLines.get(name);
    if (first === undefined) firstLines.set(name, line);
    else markTwice(result, entry, first, fault, key);
    result.entries.push(entry);
  }
  if (all.length > maxServersPerFile) {
    fault(holderKey, `only the first ${maxServersPerFile} of ${all.length} servers were read`);
  }
}

/** Says of itself that it is something else than a server of its own. */
function isForeign(server: Node, { foreign = [] }: ServerDialect): boolean {
  return properties(server).some(
    ({ name, value }) => (name === 'type' || name === 'source') && foreign.includes(String(value?.value)),
  );
}

/** Not a server but the object that holds them, where a client has moved them one level down. */
function isPlace(name: string, server: Node, at: string, dialect: ServerDialect): boolean {
  const isStep = dialect.at.some((path) => path.map(String).join('.') === `${at}.${name}`);
  return isStep && !properties(server).some((property) => property.name === 'type');
}

/** Servers of a list by the name that each says. */
function listed(list: Node): Property[] {
  return (list.children ?? []).map((value) => {
    const name = value.type === 'object' ? properties(value).find((property) => property.name === 'name') : undefined;
    return { name: typeof name?.value?.value === 'string' ? name.value.value : '', key: value, value };
  });
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

/** VS Code's list of what it asks a person for. What is of another shape is not asked for, so it is no fault here. */
function readInputs(node: Node, inputs: Map<string, ServerInput>): void {
  const list = properties(node).find(({ name }) => name === 'inputs')?.value;
  if (list?.type !== 'array') return;
  for (const item of list.children ?? []) {
    const input = item.type === 'object' ? readInput(getNodeValue(item)) : undefined;
    if (input && inputs.size < maxInputsPerFile) inputs.set(input.id, input);
  }
}
