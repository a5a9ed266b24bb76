// From a server's declaration to the upstream that runs or reaches it.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { ServerTransport } from '../core/server.ts';
import type { OpenTunnel } from '../protocol/control.ts';
import type { ProcessGuardian } from '../upstream/processGuardian.ts';
import { EraBridge } from '../upstream/eras/eraBridge.ts';
import { HttpServer } from '../upstream/httpServer.ts';
import { SseAgents } from '../upstream/sseAgents.ts';
import { StdioUpstream } from '../upstream/stdioUpstream.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { ServerRestarts } from './serverRestarts.ts';

export type UpstreamParts = {
  clock: Clock;
  guardian: ProcessGuardian;
  /** How a stdio server is run; of no meaning for one that listens by itself. */
  run: OpenTunnel['run'];
  log: (message: string) => void;
};

/** `restarts`: of a server that we run. */
export type MadeUpstream = { upstream: Upstream; restarts?: ServerRestarts };

/** Throws `USAGE` where a server that is not ours to start is to be run in some way. */
export function makeUpstream(transport: ServerTransport, { clock, guardian, run, log }: UpstreamParts): MadeUpstream {
  if (transport.kind === 'http') {
    const server = new HttpServer({ url: transport.url, headers: transport.headers, clock });
    if (run) {
      const why = 'it is reached by a URL, and only a command that the tunnel runs is watched, shared or started anew';
      throw new TunnelError('USAGE', `this server runs already: ${why}`);
    }
    return { upstream: new SseAgents(new EraBridge({ upstream: server, clock }), server) };
  }
  const { command, args, env, cwd } = transport;
  const { watch = [], isolation = 'perSession', replaysReads = false } = run ?? {};
  const server = new StdioUpstream({ command, args, env, cwd, clock, guardian, isolation, replaysReads });
  const restarts = new ServerRestarts({ server, watch, cwd, clock, log });
  return { upstream: new SseAgents(new EraBridge({ upstream: server, clock })), restarts };
}
