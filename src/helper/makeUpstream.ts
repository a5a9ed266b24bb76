// From a server's declaration to the upstream that runs or reaches it.
import type { Clock } from '../core/clock.ts';
import type { ServerTransport } from '../protocol/control.ts';
import { HttpUpstream } from '../upstream/httpUpstream.ts';
import { StdioUpstream } from '../upstream/stdioUpstream.ts';
import type { Upstream } from '../upstream/upstream.ts';

export function makeUpstream(transport: ServerTransport, clock: Clock): Upstream {
  if (transport.kind === 'http') return new HttpUpstream({ url: transport.url, headers: transport.headers, clock });
  const { command, args, env, cwd } = transport;
  return new StdioUpstream({ command, args, env, cwd, clock });
}
