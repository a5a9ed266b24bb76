// TOML 1.0 as the tree that readers know. The parser says where a fault is but not where a value stands, so a value has
// the place of the table header or key that begins it. Never throws, whatever the text.
import type { Node } from 'jsonc-parser';
import { parse, TomlError, type TomlTable, type TomlValue } from 'smol-toml';
import { LineIndex, maxNesting, type ConfigDocument, type Fault, type Place } from './configDocument.ts';

export class TomlDocument implements ConfigDocument {
  readonly root: Node | undefined;
  readonly faults: readonly Fault[] = [];
  readonly #lines: LineIndex;

  constructor(text: string) {
    this.#lines = new LineIndex(text);
    try {
      const headers = headerOffsets(text);
      this.root = table(parse(text, { maxDepth: maxNesting }), [], 0, headers);
    } catch (error) {
      const isFault = error instanceof TomlError;
      const place = isFault ? { line: error.line, column: error.column } : { line: 1, column: 1 };
      this.faults = [{ ...place, message: isFault ? sentence(error) : 'the file is nested too deeply' }]; // RangeError.
    }
  }

  place(offset: number): Place {
    return this.#lines.place(offset);
  }

  /** The parser gives all or nothing. */
  isDamaged(_node: Node): boolean {
    return false;
  }
}

function table(value: TomlTable, path: readonly string[], offset: number, headers: ReadonlyMap<string, number>): Node {
  const children = Object.entries(value).map(([name, content]): Node => {
    const inner = [...path, name];
    const at = headers.get(JSON.stringify(inner)) ?? offset;
    const key: Node = { type: 'string', offset: at, length: 0, value: name };
    return { type: 'property', offset: at, length: 0, children: [key, node(content, inner, at, headers)] };
  });
  return { type: 'object', offset, length: 0, children };
}

function node(value: TomlValue, path: readonly string[], offset: number, headers: ReadonlyMap<string, number>): Node {
  const place = { offset, length: 0 };
  if (typeof value === 'string') return { type: 'string', ...place, value };
  if (typeof value === 'boolean') return { type: 'boolean', ...place, value };
  if (typeof value === 'number' || typeof value === 'bigint') return { type: 'number', ...place, value: Number(value) };
  if (Array.isArray(value)) {
    return { type: 'array', ...place, children: value.map((item) => node(item, path, offset, headers)) };
  }
  if (value instanceof Date) return { type: 'string', ...place, value: value.toString() };
  return table(value, path, offset, headers);
}

/** Where `[a."b c".d]` stands, by its path as JSON. A header inside a multi-line text only gives a place that nothing asks for. */
function headerOffsets(text: string): Map<string, number> {
  const offsets = new Map<string, number>();
  for (const match of text.matchAll(/^[ \t]*\[\[?([^\n[\]]+)\]/gm)) {
    const path = [...match[1]!.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)/g)].map(
      ([, double, single, bare]) => double ?? single ?? bare ?? '',
    );
    const key = JSON.stringify(path);
    if (!offsets.has(key)) offsets.set(key, match.index + match[0].indexOf('['));
  }
  return offsets;
}

function sentence({ message }: TomlError): string {
  const [, first = 'it cannot be read'] = /^(?:Invalid TOML document: )?([^\n]*)/.exec(message) ?? [];
  return `this is not TOML: ${first.slice(0, 160)}`;
}
