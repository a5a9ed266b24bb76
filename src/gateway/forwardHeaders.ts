// Which headers cross the gateway. Towards the upstream: everything but what belongs to one hop, to the public name,
// or to the agent's credentials. Towards the agent: everything but what belongs to one hop.

/** RFC 9110 §7.6.1, and what HTTP/2 forbids (RFC 9113 §8.2.2). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const NOT_FOR_THE_UPSTREAM: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'referer',
  'via',
  'accept-encoding',
]);

export function towardsUpstream(headers: Record<string, string>): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const named = connectionNamed(headers['connection']);
  for (const [name, value] of Object.entries(headers)) {
    if (HOP_BY_HOP.has(name) || named.has(name) || NOT_FOR_THE_UPSTREAM.has(name)) continue;
    if (name.startsWith('x-forwarded-') || name.startsWith('sec-fetch-')) continue;
    forwarded[name] = value;
  }
  return forwarded;
}

export function towardsAgent(headers: Record<string, string>): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const named = connectionNamed(headers['connection']);
  for (const [name, value] of Object.entries(headers)) {
    if (!HOP_BY_HOP.has(name) && !named.has(name)) forwarded[name] = value;
  }
  return forwarded;
}

function connectionNamed(connection: string | undefined): ReadonlySet<string> {
  return new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
}
