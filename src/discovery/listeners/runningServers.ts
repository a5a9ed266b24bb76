// MCP servers that are running on this machine: listeners of this user whose process stands in the workspace, asked
// whether they speak MCP. Done when a person wants it, never by itself.
import type { DiscoveredServer } from '../../core/server.ts';
import { serverId } from '../resolveEntry.ts';
import { findListeners } from './findListeners.ts';
import type { Listener } from './listener.ts';
import { probe } from './probe.ts';
import { isInside } from '../isInside.ts';

/** Listeners asked at the same time, and in all. */
const parallel = 8;
const maxAsked = 64;

export type Scan = {
  folders: readonly string[];
  /** Ports that a person named: asked whatever process is behind them. */
  ports?: readonly number[];
  /** Our own: an agent's way in is no server. */
  ownPids?: ReadonlySet<number>;
  listeners?: () => Promise<Listener[]>;
};

/** Throws `INTERNAL` where the system does not tell what listens. */
export async function runningServers(scan: Scan, signal: AbortSignal): Promise<DiscoveredServer[]> {
  const { folders, ports = [], ownPids = new Set([process.pid]), listeners = findListeners } = scan;
  const wanted = (await listeners()).filter(
    ({ pid, cwd, port }) =>
      !ownPids.has(pid) &&
      (ports.includes(port) || (cwd !== undefined && folders.some((folder) => isInside(cwd, folder)))),
  );
  const byPort = [...new Map(wanted.map((listener) => [listener.port, listener])).values()].slice(0, maxAsked);
  const found: DiscoveredServer[] = [];
  for (let at = 0; at < byPort.length; at += parallel) {
    const some = byPort.slice(at, at + parallel);
    found.push(...(await Promise.all(some.map((listener) => asked(listener, signal)))).flat());
  }
  return found;
}

async function asked({ port, pid, cwd, command }: Listener, signal: AbortSignal): Promise<DiscoveredServer[]> {
  const server = await probe(port, signal);
  if (!server) return [];
  const name = server.name ?? `localhost-${port}`;
  return [
    {
      id: serverId('running', server.url),
      name,
      source: { format: 'running' },
      transport: { kind: 'http', url: server.url, headers: {} },
      running: {
        pid,
        era: server.era,
        ...(cwd === undefined ? {} : { cwd }),
        ...(command === undefined ? {} : { command }),
        ...(server.needsAuth ? { needsAuth: true } : {}),
      },
    },
  ];
}
