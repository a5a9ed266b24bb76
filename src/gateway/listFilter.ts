// Takes out of what a server says what the agent may not use: entries of lists, and news of resources. Hidden *and*
// refused on call, by the same rules.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import { filterList, listField, type ListedBy } from '../mcp/lists.ts';
import type { Principal } from '../identity/grants.ts';
import type { MergedPolicy } from '../policy/mergedPolicy.ts';
import { mayList, seesEverything } from '../policy/visible.ts';

/** Largest single server-sent event, and largest answer, that is looked through for what the agent may not see. */
export const maxFilteredBytes = 64 * 1024 * 1024;

/** The same message without what the agent may not see: `''` when all of it had to go, `undefined` when nothing had. */
export type FilterMessage = (text: string) => string | undefined;

/** What holds at this moment; `undefined` while nothing is hidden. To be asked again for each message. */
export type FilterNow = () => FilterMessage | undefined;

const allLists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'].flatMap(
  (method) => listField(method) ?? [],
);

/** Follows policy and grant: made anew when one of them has become another. */
export function filterNow(
  rules: { readonly current: MergedPolicy },
  visit: { readonly principal: Principal },
): FilterNow {
  let policy: MergedPolicy | undefined;
  let principal: Principal | undefined;
  let filter: FilterMessage | undefined;
  return () => {
    if (policy !== rules.current || principal !== visit.principal) {
      policy = rules.current;
      principal = visit.principal;
      filter = listFilter(policy, principal);
    }
    return filter;
  };
}

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
  /** Who subscribed while he might hears nothing of it once he may not. */
  const isHiddenNews = (message: JsonValue): boolean =>
    isJsonObject(message) &&
    message['method'] === 'notifications/resources/updated' &&
    !mayList(policy, name, scope, 'resource', message['params'] ?? null);
  const filterOne = (text: string, message: JsonValue): string =>
    isHiddenNews(message)
      ? ''
      : listsIn(text, message).reduce(
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

/** A batch: its messages one by one, everything between those that stay as it is. */
function filterEach(
  text: string,
  messages: readonly JsonValue[],
  filterOne: (text: string, message: JsonValue) => string,
): string {
  const ranges = elementsOf(text, skipSpace(text, text.startsWith(BOM) ? 1 : 0));
  const first = ranges[0];
  const last = ranges.at(-1);
  if (!first || !last) return text;
  let filtered = '';
  let kept = 0;
  ranges.forEach(({ from, to }, index) => {
    const one = filterOne(text.slice(from, to), messages[index] ?? null);
    if (one === '') return;
    const separator = kept === 0 ? '' : text.slice(ranges[index - 1]!.to, from);
    filtered += separator + one;
    kept += 1;
  });
  return kept === 0 ? '' : text.slice(0, first.from) + filtered + text.slice(last.to);
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
