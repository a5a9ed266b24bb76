// Takes out of a list what the agent may not use: hidden *and* refused on call, by the same rules.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { filterList, listField } from '../mcp/lists.ts';
import type { RpcMessage } from '../mcp/message.ts';
import type { Principal } from '../identity/grants.ts';
import type { MergedPolicy } from '../policy/mergedPolicy.ts';
import { mayList } from '../policy/visible.ts';
import type { FilterMessage } from './relay.ts';

/** `undefined` when no message of the call asks for a list. */
export function listFilter(
  policy: MergedPolicy,
  principal: Principal,
  messages: readonly RpcMessage[],
): FilterMessage | undefined {
  const lists = new Map(
    messages.flatMap((message) => {
      const list = message.kind === 'request' ? listField(message.method) : undefined;
      return message.kind === 'request' && list ? [[message.id, list] as const] : [];
    }),
  );
  if (lists.size === 0) return undefined;
  return (text) => {
    const id = idOf(text);
    const list = id === undefined ? undefined : lists.get(id);
    if (!list) return undefined;
    const filtered = filterList(text, list.field, (item) =>
      mayList(policy, principal.name, principal.scope, list.kind, item),
    );
    return filtered.removed > 0 ? filtered.text : undefined;
  };
}

function idOf(text: string): string | number | undefined {
  try {
    const message = JSON.parse(text) as JsonValue;
    const id = isJsonObject(message) ? message['id'] : undefined;
    return typeof id === 'string' || typeof id === 'number' ? id : undefined;
  } catch {
    return undefined;
  }
}
