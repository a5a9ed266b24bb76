// The message endpoint of the deprecated HTTP+SSE transport (2024-11-05) as agents see it: a stream on the MCP endpoint
// announces it with the id of its session, and nothing else is reachable there.

/**
 * What the first event of a stream says. It names no host, and where the endpoint itself holds a credential (`isRelative`)
 * no path either: the agent takes both from the address it was given.
 */
export function sseEndpoint(session: string, isRelative = false): string {
  return `${isRelative ? '' : '/'}mcp/message?sessionId=${session}`;
}

const MESSAGE_TARGET =
  /^(?<endpoint>.*\/mcp)\/message\?sessionId=(?<session>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Which stream's message endpoint a request's target is, and below which MCP endpoint; `undefined` for anything else. */
export function sseTarget(target: string): { endpoint: string; session: string } | undefined {
  const { endpoint, session } = MESSAGE_TARGET.exec(target)?.groups ?? {};
  return endpoint === undefined || session === undefined ? undefined : { endpoint, session };
}

/**
 * Whether a GET opens a stream of the old transport: those agents know no session id, and no revision before they were
 * given an endpoint. `headers` have lower-case names.
 */
export function opensSse(headers: Readonly<Record<string, string>>): boolean {
  const { accept = '', 'mcp-session-id': session, 'mcp-protocol-version': version, 'last-event-id': last } = headers;
  return session === undefined && version === undefined && last === undefined && /text\/event-stream/i.test(accept);
}
