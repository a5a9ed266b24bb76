// `initialize` and `server/discover` say the same of a server in two ways. What the other era cannot do is not promised
// in its form: a task of one era is no task of the other.
import { memberText, memberTexts, objectText, withMembers } from '../../mcp/jsonEdit.ts';
import { legacyRevisions, metaKey, modernRevision } from '../../mcp/revisions.ts';
import { modernResult } from './resultForms.ts';

const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
const NAMELESS = '{"name":"unknown","version":"0"}';

/** The revision to speak with an agent that asked for `requested` (2025-11-25, "Version Negotiation"). */
export function negotiated(requested: unknown): string {
  return typeof requested === 'string' && legacyRevisions.includes(requested) ? requested : legacyRevisions[0]!;
}

/** A `server/discover` result as that of `initialize`. */
export function initializeResult(discovered: string, revision: string): string {
  const meta = memberTexts(memberText(discovered, '_meta') ?? '{}');
  const serverInfo = meta.get(metaKey.serverInfo) ?? NAMELESS;
  meta.delete(metaKey.serverInfo);
  return withMembers(discovered, {
    resultType: undefined,
    supportedVersions: undefined,
    ttlMs: undefined,
    cacheScope: undefined,
    protocolVersion: JSON.stringify(revision),
    capabilities: withoutTasks(memberText(discovered, 'capabilities') ?? '{}'),
    serverInfo,
    _meta: meta.size === 0 ? undefined : objectText(meta),
  });
}

/** An `initialize` result as that of `server/discover`. */
export function discoverResult(initialized: string): string {
  const serverInfo = memberText(initialized, 'serverInfo');
  const discovered = withMembers(initialized, {
    protocolVersion: undefined,
    serverInfo: undefined,
    supportedVersions: JSON.stringify([modernRevision]),
    capabilities: withoutTasks(memberText(initialized, 'capabilities') ?? '{}'),
  });
  return modernResult('server/discover', discovered, serverInfo);
}

/** An agent's capabilities are the same in both eras but for tasks, and roots whose changes nobody announces any more. */
export function modernCapabilities(capabilities: string): string {
  const roots = memberText(capabilities, 'roots');
  return withoutTasks(
    roots === undefined
      ? capabilities
      : withMembers(capabilities, { roots: withMembers(roots, { listChanged: undefined }) }),
  );
}

export function legacyCapabilities(capabilities: string): string {
  return withoutTasks(capabilities);
}

/** Tasks are a core feature of 2025-11-25 and an extension of 2026-07-28, with other methods and results. */
function withoutTasks(capabilities: string): string {
  const extensions = memberText(capabilities, 'extensions');
  return withMembers(capabilities, {
    tasks: undefined,
    ...(extensions === undefined ? {} : { extensions: withMembers(extensions, { [TASKS_EXTENSION]: undefined }) }),
  });
}
