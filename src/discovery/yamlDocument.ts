// YAML 1.2 as the tree that readers know. Anchors are followed, but never round in a circle and never into more nodes
// than a configuration has; tags and everything that JSON cannot say stay text. Never throws, whatever the text.
import type { Node } from 'jsonc-parser';
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document, type Range, type YAMLError } from 'yaml';
import {
  countBelow,
  firstPerLine,
  LineIndex,
  maxNesting,
  type ConfigDocument,
  type Fault,
  type Place,
} from './configDocument.ts';

/** Nodes of one document, those that aliases repeat counted each time; a larger one is refused. */
export const maxYamlNodes = 100_000;

type Parsed = Document.Parsed['contents'];

export class YamlDocument implements ConfigDocument {
  readonly root: Node | undefined;
  readonly faults: readonly Fault[];
  readonly #lines: LineIndex;
  readonly #errorOffsets: number[] = [];

  constructor(text: string) {
    this.#lines = new LineIndex(text);
    if (text.trim() === '') {
      this.faults = [{ line: 1, column: 1, message: 'the file is empty' }];
      return;
    }
    try {
      const document = parseDocument(text, { uniqueKeys: false, logLevel: 'silent', stringKeys: true });
      const faults = document.errors.map((error) => ({ ...this.place(error.pos[0]), message: sentence(error) }));
      this.#errorOffsets = document.errors.map(({ pos }) => pos[0]).sort((left, right) => left - right);
      this.faults = firstPerLine(faults);
      this.root = new Converter(document).node(document.contents, []);
    } catch (error) {
      const message = error instanceof TooMuch ? error.message : 'the file is nested too deeply'; // A RangeError.
      this.faults = [{ line: 1, column: 1, message }];
    }
  }

  place(offset: number): Place {
    return this.#lines.place(offset);
  }

  isDamaged({ offset, length }: Node): boolean {
    return countBelow(this.#errorOffsets, offset) < countBelow(this.#errorOffsets, offset + length + 1);
  }
}

class TooMuch extends Error {}

class Converter {
  readonly #document: Document.Parsed;
  #left = maxYamlNodes;

  constructor(document: Document.Parsed) {
    this.#document = document;
  }

  /** `inside` are the nodes around it: an alias to one of them would have no end. */
  node(value: unknown, inside: readonly unknown[]): Node | undefined {
    this.#left -= 1;
    if (this.#left < 0) throw new TooMuch(`the file holds more than ${maxYamlNodes} values`);
    if (inside.length > maxNesting) throw new TooMuch('the file is nested too deeply');
    if (isAlias(value)) {
      const target = value.resolve(this.#document);
      if (target === undefined) return undefined; // An alias without an anchor is among the errors.
      if (inside.includes(target)) throw new TooMuch(`the alias *${value.source.slice(0, 40)} leads back to itself`);
      return this.node(target, inside);
    }
    if (isMap(value)) return this.#container('object', value, value.items, inside);
    if (isSeq(value)) return this.#container('array', value, value.items, inside);
    return isScalar(value) ? scalar(value.value, placeOf(value)) : undefined;
  }

  #container(
    type: 'object' | 'array',
    value: NonNullable<Parsed> | object,
    items: readonly unknown[],
    inside: readonly unknown[],
  ): Node {
    const around = [...inside, value];
    const children = items.flatMap((item) => {
      const child = type === 'array' ? this.node(item, around) : this.#property(item, around);
      return child ? [child] : [];
    });
    return { type, ...placeOf(value), children };
  }

  #property(item: unknown, inside: readonly unknown[]): Node | undefined {
    const { key, value } = item as { key: unknown; value: unknown };
    const name = this.node(key, inside);
    if (name?.type !== 'string') return undefined;
    const content = this.node(value, inside);
    const { offset } = name;
    return { type: 'property', offset, length: name.length, children: content ? [name, content] : [name] };
  }
}

function scalar(value: unknown, place: { offset: number; length: number }): Node {
  if (value === null || value === undefined) return { type: 'null', ...place, value: null };
  if (typeof value === 'boolean') return { type: 'boolean', ...place, value };
  if (typeof value === 'number') return { type: 'number', ...place, value };
  return { type: 'string', ...place, value: typeof value === 'string' ? value : JSON.stringify(value) };
}

function placeOf(value: object): { offset: number; length: number } {
  const range = (value as { range?: Range | null }).range;
  return range ? { offset: range[0], length: range[1] - range[0] } : { offset: 0, length: 0 };
}

function sentence({ code, message }: YAMLError): string {
  const first = message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, '');
  return `this is not YAML: ${first.slice(0, 160) || code}`;
}
