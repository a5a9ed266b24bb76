// The way in for agents that can be given a URL and nothing else: `/s/<secret>/mcp` is one more address of the MCP
// endpoint. What stands there is a credential, so nobody is shown it, and neither what might be one with a slip in it.
import { redacted } from '../traffic/redact.ts';

/** The one path agents see, whatever the upstream's own is called. */
export const mcpPath = '/mcp';

/** The secret of a path of this shape, right or wrong. Compared as it came: no decoding, no dot segments, no case folding. */
export function secretIn(path: string): string | undefined {
  return /^\/s\/([^/]+)\/mcp$/.exec(path)?.[1];
}

/** A request's target as it may be recorded. */
export function shownTarget(target: string): string {
  if (target === mcpPath) return target; // Nearly always.
  const [path = ''] = target.split('?', 1);
  if (secretIn(path) !== undefined) return `/s/${redacted}${mcpPath}`;
  // Somebody's secret with a slash too many, in another case or encoding, or a key that a client puts into the query.
  // Words of paths that are known have no digits.
  return target
    .replace(/([?&][^=&]*(?:token|secret|key|passw|auth|sig)[^=&]*=)[^&#]+/gi, `$1${redacted}`)
    .replace(/[^/?&=#]{16,}/g, (part) => (/^[a-z.-]+$/.test(part) ? part : redacted));
}
