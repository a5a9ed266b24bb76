// Takes out of a list what the agent may not use: hidden *and* refused on call, by the same rules.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import { filterList, listField, type ListedBy } from '../mcp/lists.ts';
import type { Principal } from '../identity/grants.ts';
import type { MergedPolicy } from '../policy/mergedPolicy.ts';
import { mayList } from '../policy/visible.ts';
import type { Call } from './call.ts';
import type { FilterMessage } from './relay.ts';

const allLists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'].flatMap(
  (method) => listField(method) ?? [],
);

/** `undefined` when no list can come: the call asks for none, and is no stream that may be resumed with one. */
export function listFilter(
  policy: MergedPolicy,
  principal: Principal,
  call: Pick<Call, 'method' | 'messages'>,
): FilterMessage | undefined {
  const asked = new Map(
    call.messages.flatMap((message) =>
      message.kind === 'request' ? [[message.id, listField(message.method)] as const] : [],
    ),
  );
  if (call.method !== 'GET' && ![...asked.values()].some((list) => list !== undefined)) return undefined;

  /** An answer whose id is not of this call may be to an earlier one, or renumbered: then it may be any list. */
  const listsIn = (message: JsonValue): readonly ListedBy[] => {
    if (!isJsonObject(message) || !Object.hasOwn(message, 'result')) return [];
    const id = message['id'];
    if ((typeof id !== 'string' && typeof id !== 'number') || !asked.has(id)) return allLists;
    return [asked.get(id)].filter((list) => list !== undefined);
  };
  const filterOne = (text: string, message: JsonValue): string =>
    listsIn(message).reduce(
      (kept, { field, kind }) =>
        filterList(kept, field, (item) => mayList(policy, principal.name, principal.scope, kind, item)).text,
      text,
    );
  return (text) => {
    const message = parsed(text);
    const filtered = Array.isArray(message) ? filterEach(text, message, filterOne) : filterOne(text, message);
    return filtered === text ? undefined : filtered;
  };
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
