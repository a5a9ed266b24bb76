// A shared server is begun once, by the first agent. Whether a later one can live with what was agreed on then.
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RpcMessage } from '../mcp/message.ts';

export type Agreement = {
  /** Of the agent that began. */
  request: RpcMessage & { kind: 'request' };
  /** The server's answer as it stands. */
  answer: Uint8Array;
  result: JsonObject;
};

/** Why it cannot, in a sentence for the agent. */
export function disagreement({ request: first, result }: Agreement, later: Agreement['request']): string | undefined {
  const agreed = result['protocolVersion'];
  const wanted = paramsOf(later)['protocolVersion'];
  // Revisions are dates. An agent may be given an older one than it asks for; a newer one it cannot know.
  if (typeof agreed === 'string' && typeof wanted === 'string' && wanted < agreed) {
    return `this server is shared between agents and was begun with protocol revision ${agreed}`;
  }
  const had = Object.keys(capabilitiesOf(first));
  const has = capabilitiesOf(later);
  // The server may ask anybody for what the first one offered.
  const missing = had.find((name) => !Object.hasOwn(has, name));
  if (missing === undefined) return undefined;
  return `this server is shared between agents and was begun by one with the capability “${missing.slice(0, 60)}”`;
}

function capabilitiesOf(request: Agreement['request']): JsonObject {
  const { capabilities } = paramsOf(request);
  return isJsonObject(capabilities) ? capabilities : {};
}

function paramsOf({ params }: Agreement['request']): JsonObject {
  return isJsonObject(params) ? params : {};
}
