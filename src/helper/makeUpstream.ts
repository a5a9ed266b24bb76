// From a server's declaration to the upstream that runs or reaches it.
import type { Clock } from '../core/clock.ts';
import type { ServerTransport } from '../core/server.ts';
import type { ProcessGuardian } from '../upstream/processGuardian.ts';
import { EraBridge } from '../upstream/eras/eraBridge.ts';
import { HttpServer } from '../upstream/httpServer.ts';
import { SseAgents } from '../upstream/sseAgents.ts';
import { StdioUpstream } from '../upstream/stdioUpstream.ts';
import type { Upstream } from '../upstream/upstream.ts';

export function makeUpstream(transport: ServerTransport, clock: Clock, guardian: ProcessGuardian): Upstream {
  if (transport.kind === 'http') {
    const server = new HttpServer({ url: transport.url, headers: transport.headers, clock });
    return new SseAgents(new EraBridge({ upstream: server, clock }), server);
  }
  const { command, args, env, cwd } = transport;
  const server = new StdioUpstream({ command, args, env, cwd, clock, guardian });
  return new SseAgents(new EraBridge({ upstream: server, clock }));
}

/** A value shorter than this is no secret, and would be found in every other text. */
const minSecretLength = 8;

/** Values that came with the declaration and name themselves a secret: they must not be shown in what passes. */
export function secretsOf(transport: ServerTransport): string[] {
  const values =
    transport.kind === 'http'
      ? Object.values(transport.headers).flatMap((value) => [value, value.replace(/^\S+ +/, '')])
      : Object.entries(transport.env).flatMap(([name, value]) =>
          SECRET_NAME.test(name) && value !== null ? [value] : [],
        );
  return values.filter((value) => value.length >= minSecretLength);
}

const SECRET_NAME = /token|secret|passw|api_?key|credential|private/i;
