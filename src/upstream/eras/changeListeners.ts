// `subscriptions/listen` streams fed by a legacy session: each hears the changes it asked for and the server announces,
// marked with its own id, and of resources only those it named.
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { memberText, withMembers } from '../../mcp/jsonEdit.ts';
import { metaKey } from '../../mcp/revisions.ts';
import type { ModernOutlet } from './modernOutlet.ts';

export const listenLimits = {
  /** Streams of one session; one more is refused. */
  maxListeners: 64,
  /** Resources that one stream may name. */
  maxResources: 1_000,
  /** Bytes that may wait for a stream's reader; then it is ended, and its agent may open another. */
  maxWaitingBytes: 1024 * 1024,
};

export type Filter = { changes: ReadonlySet<string>; resources: ReadonlySet<string> };

export type Listener = { id: string; filter: Filter; outlet: ModernOutlet };

const CHANGES: readonly { key: string; of: string; method: string }[] = [
  { key: 'toolsListChanged', of: 'tools', method: 'notifications/tools/list_changed' },
  { key: 'promptsListChanged', of: 'prompts', method: 'notifications/prompts/list_changed' },
  { key: 'resourcesListChanged', of: 'resources', method: 'notifications/resources/list_changed' },
];

/** What of a listen request this server can tell; `undefined` where it cannot be read. */
export function honouredFilter(params: JsonValue | undefined, capabilities: JsonObject): Filter | undefined {
  const asked = isJsonObject(params) ? params['notifications'] : undefined;
  if (!isJsonObject(asked)) return undefined;
  const uris = asked['resourceSubscriptions'] ?? [];
  if (!Array.isArray(uris) || uris.length > listenLimits.maxResources) return undefined;
  const resources = uris.filter((uri): uri is string => typeof uri === 'string');
  if (resources.length < uris.length) return undefined;
  const says = (of: string, what: string): boolean => {
    const own = capabilities[of];
    return isJsonObject(own) && own[what] === true;
  };
  return {
    changes: new Set(
      CHANGES.filter(({ key, of }) => asked[key] === true && says(of, 'listChanged')).map(({ key }) => key),
    ),
    resources: new Set(says('resources', 'subscribe') ? resources : []),
  };
}

export function acknowledgement({ id, filter: { changes, resources } }: Listener): string {
  const notifications: JsonObject = Object.fromEntries([...changes].map((key) => [key, true]));
  if (resources.size > 0) notifications['resourceSubscriptions'] = [...resources];
  const params = `{"notifications":${JSON.stringify(notifications)},"_meta":{"${metaKey.subscriptionId}":${id}}}`;
  return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${params}}`;
}

/** The end that a server puts to a stream: its agent may open another. */
export function endOfListening({ id }: Listener, serverInfo: string | undefined): string {
  const server = serverInfo === undefined ? '' : `,"${metaKey.serverInfo}":${serverInfo}`;
  const meta = `{"${metaKey.subscriptionId}":${id}${server}}`;
  return `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","_meta":${meta}}}`;
}

/** The notification as this stream hears it, or `undefined` when it did not ask for it. */
export function asHeardBy({ id, filter }: Listener, text: string, message: JsonObject): string | undefined {
  const change = CHANGES.find(({ method }) => method === message['method']);
  if (change ? !filter.changes.has(change.key) : !isAboutResourceIn(filter, message)) return undefined;
  const params = memberText(text, 'params') ?? '{}';
  const meta = withMembers(memberText(params, '_meta') ?? '{}', { [metaKey.subscriptionId]: id });
  return withMembers(text, { params: withMembers(params, { _meta: meta }) });
}

function isAboutResourceIn({ resources }: Filter, { method, params }: JsonObject): boolean {
  const uri = isJsonObject(params) ? params['uri'] : undefined;
  return method === 'notifications/resources/updated' && typeof uri === 'string' && resources.has(uri);
}
