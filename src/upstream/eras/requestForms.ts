// Parameters of a request in the form of either era. What both know stays byte for byte; a modern request carries in its
// `_meta` what a legacy agent has said once, in `initialize`.
import { memberText, memberTexts, objectText, withMembers } from '../../mcp/jsonEdit.ts';
import { metaKey, modernRevision } from '../../mcp/revisions.ts';

/** What a legacy session knows of its agent, as JSON texts. */
export type Envelope = { clientInfo?: string | undefined; clientCapabilities: string; logLevel?: string | undefined };

/** What a modern request says of its own conversation; no part of what is asked. */
const ROUND_FIELDS = { inputResponses: undefined, requestState: undefined };

/** `params` as JSON text, absent where the request has none. */
export function modernParams(params: string | undefined, envelope: Envelope): string {
  const meta = withMembers(objectOr(params && memberText(params, '_meta')), {
    [metaKey.protocolVersion]: JSON.stringify(modernRevision),
    [metaKey.clientInfo]: envelope.clientInfo,
    [metaKey.clientCapabilities]: envelope.clientCapabilities,
    [metaKey.logLevel]: envelope.logLevel === undefined ? undefined : JSON.stringify(envelope.logLevel),
  });
  return withMembers(params ?? '{}', { _meta: meta });
}

/** The other direction; also without the answers of an earlier round. `undefined` where nothing is left. */
export function legacyParams(params: string, changes: { progressToken?: string } = {}): string | undefined {
  const meta = memberTexts(memberText(params, '_meta') ?? '{}');
  for (const key of [metaKey.protocolVersion, metaKey.clientInfo, metaKey.clientCapabilities, metaKey.logLevel]) {
    meta.delete(key);
  }
  if (changes.progressToken !== undefined) meta.set('progressToken', changes.progressToken);
  const legacy = withMembers(params, { ...ROUND_FIELDS, _meta: meta.size === 0 ? undefined : objectText(meta) });
  return legacy === '{}' ? undefined : legacy;
}

function objectOr(text: string | undefined): string {
  return text?.startsWith('{') === true ? text : '{}';
}
