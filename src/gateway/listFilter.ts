// Takes out of a list what the agent may not use: hidden *and* refused on call, by the same rules.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import { filterList, listField, type ListedBy } from '../mcp/lists.ts';
import type { Principal } from '../identity/grants.ts';
import type { MergedPolicy } from '../policy/mergedPolicy.ts';
import { mayList, seesEverything } from '../policy/visible.ts';
import type { FilterMessage } from './relay.ts';

const allLists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'].flatMap(
  (method) => listField(method) ?? [],
);

/**
 * `undefined` when nothing is hidden from this principal. Else every answer is looked at for every list, whatever was
 * asked: a server may give the answer to one call as that to another with the same id.
 */
export function listFilter(policy: MergedPolicy, { name, scope }: Principal): FilterMessage | undefined {
  if (seesEverything(policy, name, scope)) return undefined;

  const listsIn = (text: string, message: JsonValue): readonly ListedBy[] =>
    isJsonObject(message) && Object.hasOwn(message, 'result')
      ? allLists.filter(({ field }) => mayHold(text, field))
      : [];
  const filterOne = (text: string, message: JsonValue): string =>
    listsIn(text, message).reduce(
      (kept, { field, kind }) => filterList(kept, field, (item) => mayList(policy, name, scope, kind, item)).text,
      text,
    );
  return (text) => {
    const message = parsed(text);
    const filtered = Array.isArray(message) ? filterEach(text, message, filterOne) : filterOne(text, message);
    return filtered === text ? undefined : filtered;
  };
}

/** Cheap, and never "no" for a text that holds it: a name can be written otherwise only with a `\u` escape. */
function mayHold(text: string, field: string): boolean {
  return text.includes(`"${field}"`) || text.includes('\\u');
}

/** A batch: its answers one by one, everything between them as it is. */
function filterEach(
  text: string,
  messages: readonly JsonValue[],
  filterOne: (text: string, message: JsonValue) => string,
): string {
  let copied = 0;
  let filtered = '';
  for (const [index, { from, to }] of elementsOf(text, skipSpace(text, text.startsWith(BOM) ? 1 : 0)).entries()) {
    filtered += text.slice(copied, from) + filterOne(text.slice(from, to), messages[index] ?? null);
    copied = to;
  }
  return filtered + text.slice(copied);
}

const BOM = '\uFEFF';

/** Agents read over a byte order mark, so it must not hide a list. */
function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text.startsWith(BOM) ? text.slice(1) : text) as JsonValue;
  } catch {
    return null;
  }
}
