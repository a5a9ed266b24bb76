// Lists that a server gives, and how entries are taken out of one: by their place in the original text, so that
// everything else (order, spacing, unknown fields, cursors) stays byte for byte what the server wrote.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace, valuesOf, type Range } from './jsonRanges.ts';

export type ListField = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';
export type ListKind = 'tool' | 'prompt' | 'resource' | 'resourceTemplate';
export type ListedBy = { field: ListField; kind: ListKind };

const LISTS: Readonly<Record<string, ListedBy>> = {
  'tools/list': { field: 'tools', kind: 'tool' },
  'prompts/list': { field: 'prompts', kind: 'prompt' },
  'resources/list': { field: 'resources', kind: 'resource' },
  'resources/templates/list': { field: 'resourceTemplates', kind: 'resourceTemplate' },
};

/** What the result of `method` lists, if it lists anything. */
export function listField(method: string): ListedBy | undefined {
  return Object.hasOwn(LISTS, method) ? LISTS[method] : undefined;
}

/**
 * The response without the entries of `result.<field>` that `keep` refuses. Text that is not JSON or holds no such
 * list comes back as it was: there is nothing in it that an agent could use.
 */
export function filterList(
  responseText: string,
  field: ListField,
  keep: (item: JsonValue) => boolean,
): { text: string; removed: number } {
  const kept: string[] = [];
  let copied = 0;
  let removed = 0;
  for (const array of listsIn(responseText, field)) {
    const elements = elementsOf(responseText, array);
    const wanted = elements.map(({ from, to }) => keep(JSON.parse(responseText.slice(from, to)) as JsonValue));
    const refused = wanted.filter((isWanted) => !isWanted).length;
    if (refused === 0) continue;
    removed += refused;
    kept.push(responseText.slice(copied, elements[0]!.from), joined(responseText, elements, wanted));
    copied = elements.at(-1)!.to;
  }
  kept.push(responseText.slice(copied));
  return { text: removed === 0 ? responseText : kept.join(''), removed };
}

/** Wanted elements with the separators that stood before them. */
function joined(text: string, elements: readonly Range[], wanted: readonly boolean[]): string {
  let list = '';
  elements.forEach(({ from, to }, index) => {
    if (!wanted[index]) return;
    list += list === '' ? text.slice(from, to) : text.slice(elements[index - 1]!.to, to);
  });
  return list;
}

/** Where the arrays `result.<field>` start; more than one only where keys stand twice, and then each counts. */
function listsIn(text: string, field: ListField): number[] {
  const readable = text.replace(/^\uFEFF/, ' '); // Of the same length: places stay what they are.
  let value: unknown;
  try {
    value = JSON.parse(readable);
  } catch {
    return [];
  }
  if (!isJsonObject(value)) return [];
  return valuesOf(readable, skipSpace(readable, 0), 'result')
    .filter((result) => text[result] === '{')
    .flatMap((result) => valuesOf(readable, result, field))
    .filter((list) => text[list] === '[');
}
