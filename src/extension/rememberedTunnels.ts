// The tunnels that are on, remembered with the workspace: after a crash or a reload they are opened again
// with the same hostname, port and grant, for the same addresses.
import type { Destination, TunnelInfo } from '../protocol/control.ts';

/** Most tunnels that are remembered; the oldest are forgotten. */
export const maxRemembered = 50;

export type RememberedTunnel = {
  server: { id: string; name: string };
  destination: Destination;
  /** First label of the hostname. */
  name: string;
  /** Loopback port of an embedded tunnel. */
  port?: number;
  /** Whose addresses may connect; absent lets everybody. The helper keeps it as well, and may lose it. */
  allowFrom?: string[];
};

/** The part of VS Code's `Memento` that is needed. */
export type Memory = { get(key: string): unknown; update(key: string, value: unknown): PromiseLike<void> };

const key = 'mcpTunnel.tunnels';

export class RememberedTunnels {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get all(): RememberedTunnel[] {
    return (this.#memory.get(key) as RememberedTunnel[] | undefined) ?? [];
  }

  async add(tunnel: TunnelInfo): Promise<void> {
    const remembered = rememberable(tunnel);
    if (!remembered) return;
    const others = this.all.filter((other) => !isSame(other, remembered));
    await this.#memory.update(key, [...others, remembered].slice(-maxRemembered));
  }

  async forget(tunnel: Pick<RememberedTunnel, 'server' | 'destination'>): Promise<void> {
    await this.#memory.update(
      key,
      this.all.filter((other) => !isSame(other, tunnel)),
    );
  }
}

/** What to keep of a tunnel that was ready; `undefined` before that. */
export function rememberable(tunnel: TunnelInfo): RememberedTunnel | undefined {
  const name = tunnel.hostname?.split('.')[0];
  if (!name) return undefined;
  const { id, name: serverName } = tunnel.server;
  const { destination, allowFrom } = tunnel;
  const port = tunnel.loopbackUrl ? Number(new URL(tunnel.loopbackUrl).port) : undefined;
  return {
    server: { id, name: serverName },
    destination,
    name,
    ...(port ? { port } : {}),
    ...(allowFrom ? { allowFrom } : {}),
  };
}

type Place = Pick<RememberedTunnel, 'server' | 'destination'>;

/** One server to one destination is one tunnel. */
export function isSame(left: Place, right: Place): boolean {
  return left.server.id === right.server.id && sameDestination(left.destination, right.destination);
}

export function sameDestination(left: Destination, right: Destination): boolean {
  if (left.carrier === 'edge' && right.carrier === 'edge') return left.host === right.host;
  return left.carrier === right.carrier;
}
