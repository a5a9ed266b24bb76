// Results in the form of either era. A modern one says what kind it is, who gave it and how long it keeps; a legacy
// agent's schema wants objects where a modern tool may give any value.
import { isJsonObject, type JsonValue } from '../../core/json.ts';
import { memberText, memberTexts, objectText, withMembers } from '../../mcp/jsonEdit.ts';
import { elementsOf } from '../../mcp/jsonRanges.ts';
import { metaKey } from '../../mcp/revisions.ts';

/** Results with `ttlMs` and `cacheScope` (2026-07-28, CacheableResult). */
const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** What a legacy server gave, for a modern agent. Not to be kept: a legacy server cannot say for how long. */
export function modernResult(method: string, result: string, serverInfo: string | undefined): string {
  const meta = memberTexts(memberText(result, '_meta') ?? '{}');
  if (serverInfo !== undefined && !meta.has(metaKey.serverInfo)) meta.set(metaKey.serverInfo, serverInfo);
  const kind = memberText(result, 'resultType') ?? '"complete"';
  const isKept = kind === '"complete"' && CACHEABLE.has(method);
  const cache = isKept
    ? {
        ttlMs: memberText(result, 'ttlMs') ?? '0',
        cacheScope: memberText(result, 'cacheScope') ?? '"private"',
      }
    : {};
  return withMembers(result, {
    resultType: kind,
    ...cache,
    ...(meta.size === 0 ? {} : { _meta: objectText(meta) }),
  });
}

/** What a modern server gave, for a legacy agent. */
export function legacyResult(method: string, result: string): string {
  const meta = memberTexts(memberText(result, '_meta') ?? '{}');
  meta.delete(metaKey.serverInfo);
  const legacy = withMembers(result, {
    resultType: undefined,
    ...(CACHEABLE.has(method) ? { ttlMs: undefined, cacheScope: undefined } : {}),
    ...(meta.size === 0 ? { _meta: undefined } : { _meta: objectText(meta) }),
  });
  if (method === 'tools/call') return withObjectContent(legacy);
  return method === 'tools/list' ? withObjectSchemas(legacy) : legacy;
}

/**
 * `structuredContent` may be any value in 2026-07-28 and must be an object before (SEP-2106): another value becomes
 * `{ "result": value }`, and stands as text where the tool wrote none.
 */
function withObjectContent(result: string): string {
  const structured = memberText(result, 'structuredContent');
  if (structured === undefined || structured.startsWith('{')) return result;
  const content = JSON.parse(memberText(result, 'content') ?? '[]') as JsonValue;
  const hasText = Array.isArray(content) && content.some((part) => isJsonObject(part) && part['type'] === 'text');
  const text = JSON.stringify([{ type: 'text', text: structured }]);
  return withMembers(result, {
    structuredContent: `{"result":${structured}}`,
    ...(hasText ? {} : { content: joinedArrays(memberText(result, 'content'), text) }),
  });
}

/** An output schema of another kind is wrapped likewise; one that refers into itself would no longer fit and is left out. */
function withObjectSchemas(result: string): string {
  const tools = memberText(result, 'tools');
  if (tools?.startsWith('[') !== true) return result;
  const changed = elementsOf(tools, 0).map(({ from, to }) => {
    const tool = tools.slice(from, to);
    const schema = memberText(tool, 'outputSchema');
    if (schema?.startsWith('{') !== true || memberText(schema, 'type') === '"object"') return tool;
    return withMembers(tool, {
      outputSchema: /"\$(?:ref|dynamicRef|recursiveRef)"/.test(schema)
        ? undefined
        : `{"type":"object","properties":{"result":${schema}},"required":["result"]}`,
    });
  });
  return withMembers(result, { tools: `[${changed.join(',')}]` });
}

function joinedArrays(first: string | undefined, second: string): string {
  const elements =
    first?.startsWith('[') === true ? elementsOf(first, 0).map(({ from, to }) => first.slice(from, to)) : [];
  return `[${[...elements, second.slice(1, -1)].join(',')}]`;
}
