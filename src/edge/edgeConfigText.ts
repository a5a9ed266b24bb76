// A configuration's YAML as plain values that know where they stood. It was written by a person, but a mistake in it
// must cost a sentence and never the edge: what cannot be a configuration is refused before it is looked into.
import { isMap, LineCounter, parseDocument, visit, type Document, type YAMLError } from 'yaml';

/** No edge needs more; YAML of many megabytes takes seconds to parse. */
export const maxConfigBytes = 256 * 1024;
/** Deepest nesting; the schema has two. */
const maxDepth = 16;

export type ConfigPath = readonly PropertyKey[];
/** Count from 1. */
export type ConfigPlace = { line: number; column: number };
export type ConfigText = { value: unknown; place(path: ConfigPath): ConfigPlace };

/** A fault at a place; the caller knows the file. */
export class ConfigFault extends Error {
  readonly place: ConfigPlace | undefined;

  constructor(message: string, place?: ConfigPlace) {
    super(message);
    this.place = place;
  }
}

/** Throws {@link ConfigFault}. */
export function readConfigText(bytes: Buffer): ConfigText {
  if (bytes.length > maxConfigBytes) throw new ConfigFault(`it is larger than ${maxConfigBytes / 1024} KiB`);
  const lines = new LineCounter();
  const document = parse(decode(bytes), lines);
  const at = (offset: number): ConfigPlace => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [error] = document.errors;
  if (error) throw new ConfigFault(sentence(error), at(error.pos[0]));
  checkNodes(document, at);
  return { value: document.toJS() ?? {}, place: (path) => at(offsetOf(document, path)) };
}

function decode(bytes: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // Said below.
  }
  throw new ConfigFault('it is not text in UTF-8');
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, stringKeys: true, logLevel: 'error' });
  } catch {
    throw new ConfigFault('it is nested too deeply'); // A RangeError of the parser's recursion.
  }
}

/** Aliases can repeat a value for ever, and nobody needs one for a page of settings. */
function checkNodes(document: Document.Parsed, at: (offset: number) => ConfigPlace): void {
  visit(document, {
    Node(_key, node, path) {
      if (path.length > 2 * maxDepth) throw new ConfigFault('it is nested too deeply', at(node.range?.[0] ?? 0));
    },
    Alias(_key, node) {
      throw new ConfigFault('anchors and aliases are not read: write the value where it belongs', at(node.range![0]));
    },
  });
}

/** Of the key, where there is one: that is what a person looks for. */
function offsetOf(document: Document.Parsed, path: ConfigPath): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(key) === String(step));
      if (!pair) break;
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = pair.value;
    } else {
      node = (node as { items?: unknown[] } | undefined)?.items?.[Number(step)];
      offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset;
    }
  }
  return offset;
}

function sentence({ code, message }: YAMLError): string {
  const first = message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, '');
  return `it is not YAML: ${first.slice(0, 160) || code}`;
}
