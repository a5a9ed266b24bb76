// Headers that belong to one hop and must not cross a gateway: RFC 9110 §7.6.1, what HTTP/2 forbids (RFC 9113 §8.2.2),
// and whatever the `Connection` header of the message names.

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

/** Whether a header (lower-case name) of a message with this `Connection` header goes no further. */
export function hopByHop(connection: string | undefined): (name: string) => boolean {
  if (connection === undefined || HOP_BY_HOP.has(connection.toLowerCase())) return isHopByHop;
  const named = new Set(
    (connection ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter(Boolean),
  );
  return (name) => HOP_BY_HOP.has(name) || named.has(name);
}

function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}
