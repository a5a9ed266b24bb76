// Reads the fields of one JSON object with their types checked: what is wrong is collected with its path and place
// (`servers.a.args[1] must be a text`), so that one look shows all of it.
import type { Node } from 'jsonc-parser';
import type { ConfigDocument, Fault } from './configDocument.ts';

export class Fields {
  readonly path: string;
  /** Where the object stands in the text. */
  readonly offset: number;
  readonly #document: ConfigDocument;
  readonly #values = new Map<string, Node>();
  readonly #faults: Fault[];

  /** Faults go into `faults`; a name that stands twice is one. */
  constructor(document: ConfigDocument, object: Node, path: string, faults: Fault[]) {
    this.path = path;
    this.offset = object.offset;
    this.#document = document;
    this.#faults = faults;
    for (const { name, key, value } of properties(object)) {
      if (this.#values.has(name)) this.#fault(key, `${this.#at(name)} stands here twice`);
      if (value) this.#values.set(name, value);
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    const node = this.#values.get(name);
    return node && this.#text(node, this.#at(name));
  }

  /** An empty list where the field is absent. */
  texts(name: string): string[] {
    const node = this.#values.get(name);
    if (!node) return [];
    if (node.type !== 'array') return this.#fault(node, `${this.#at(name)} must be a list of texts`, []);
    return (node.children ?? []).map((child, index) => this.#text(child, `${this.#at(name)}[${index}]`) ?? '');
  }

  boolean(name: string): boolean | undefined {
    const node = this.#values.get(name);
    if (!node || node.type === 'boolean') return node?.value as boolean | undefined;
    return this.#fault(node, `${this.#at(name)} must be true or false`, undefined);
  }

  /** The object that stands there, if it is one. */
  object(name: string): Fields | undefined {
    const node = this.#values.get(name);
    return node?.type === 'object' ? new Fields(this.#document, node, this.#at(name), this.#faults) : undefined;
  }

  /** The objects of a list; nothing where there is none. */
  objects(name: string): { fields: Fields; node: Node }[] {
    const node = this.#values.get(name);
    if (node?.type !== 'array') return [];
    return (node.children ?? []).flatMap((child, index) =>
      child.type === 'object'
        ? [{ fields: new Fields(this.#document, child, `${this.#at(name)}[${index}]`, this.#faults), node: child }]
        : [],
    );
  }

  /** The objects among an object's members, by their names. */
  members(name: string): [string, Fields][] {
    const node = this.#values.get(name);
    return (node?.type === 'object' ? properties(node) : []).flatMap(({ name: inner, value }): [string, Fields][] =>
      value?.type === 'object'
        ? [[inner, new Fields(this.#document, value, `${this.#at(name)}.${inner}`, this.#faults)]]
        : [],
    );
  }

  /** As {@link record}, at the end of a path of objects; nothing where one of them is missing. */
  recordAt(path: readonly string[], loose: boolean): [string, string | null][] {
    const [first = '', ...rest] = path;
    if (rest.length === 0) return this.record(first, loose);
    return this.object(first)?.recordAt(rest, loose) ?? [];
  }

  /** Names with texts. With `loose`, numbers and booleans count as text and `null` stays. */
  record(name: string, loose: boolean): [string, string | null][] {
    const node = this.#values.get(name);
    if (!node || (loose && node.type === 'null')) return [];
    if (node.type !== 'object') return this.#fault(node, `${this.#at(name)} must be an object of names and texts`, []);
    const entries = new Map<string, string | null>();
    for (const { name: inner, key, value } of properties(node)) {
      const path = `${this.#at(name)}.${inner}`;
      if (entries.has(inner)) this.#fault(key, `${path} stands here twice`);
      if (!value) continue;
      if (loose && value.type === 'null') entries.set(inner, null);
      else if (loose && (value.type === 'number' || value.type === 'boolean')) entries.set(inner, String(value.value));
      else entries.set(inner, this.#text(value, path) ?? '');
    }
    return [...entries];
  }

  #text(node: Node, path: string): string | undefined {
    if (node.type !== 'string') return this.#fault(node, `${path} must be a text`, undefined);
    const text = node.value as string;
    if (text.includes('\0')) return this.#fault(node, `${path} must not hold a NUL character`, undefined);
    return text;
  }

  #at(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }

  #fault<T>(node: Node, message: string, instead?: T): T {
    this.#faults.push({ ...this.#document.place(node.offset), message });
    return instead as T;
  }
}

export type Property = { name: string; key: Node; value: Node | undefined };

/** The properties of an object in their order, duplicates included. */
export function properties(object: Node): Property[] {
  return (object.children ?? []).flatMap((property) => {
    const [key, value] = property.children ?? [];
    return key && typeof key.value === 'string' ? [{ name: key.value, key, value }] : [];
  });
}
