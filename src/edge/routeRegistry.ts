// Which link serves which hostname, and who may say so. A name belongs to the connector that first claimed it; among
// that connector's tunnels it belongs to the one instance that is up. Nobody is ever pushed off a name by a stranger.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import type { EdgeSession } from '../wire/edgeSession.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { FreshVisitors } from './freshVisitors.ts';

/** A live link and the identity its certificate proved. */
export type RouteHolder = { connector: string; session: Pick<EdgeSession, 'closed' | 'control' | 'openStream'> };

export type Route = {
  hostname: string;
  label: string;
  instance: string;
  holder: RouteHolder;
  sinceMs: number;
  fresh: FreshVisitors;
};

export type RouteRegistryOptions = {
  domain: string;
  authority: Pick<EdgeAuthority, 'claimLabel'>;
  limits: EdgeLimits;
  clock: Clock;
};

export class RouteRegistry {
  readonly #options: RouteRegistryOptions;
  readonly #routes = new Map<string, Route>();

  constructor(options: RouteRegistryOptions) {
    this.#options = options;
  }

  list(): Route[] {
    return [...this.#routes.values()];
  }

  find(hostname: string): Route | undefined {
    return this.#routes.get(hostname);
  }

  /** Throws `USAGE`, `ROUTE_DENIED`, `ROUTE_BUSY`, `LIMIT`, or `CLOSED` when the link ended meanwhile. */
  async claim(holder: RouteHolder, wanted: { label: string; instance: string }): Promise<Route> {
    const { authority, domain, limits, clock } = this.#options;
    const { label, instance } = readClaim(wanted);
    const held = this.list().filter((route) => route.holder === holder && route.label !== label);
    if (held.length >= limits.maxRoutesPerSession) {
      throw new TunnelError('LIMIT', `one link serves at most ${limits.maxRoutesPerSession} names`);
    }
    await authority.claimLabel(label, holder.connector);
    if (holder.session.closed) throw new TunnelError('CLOSED', 'the link ended before the name was claimed');

    const hostname = `${label}.${domain}`;
    const present = this.#routes.get(hostname);
    if (present && present.holder !== holder) replace(present, holder, instance);
    const fresh = new FreshVisitors({ clock, perSecond: limits.visitorsPerSecond, burst: limits.visitorBurst });
    const route = { hostname, label, instance, holder, sinceMs: clock.now(), fresh };
    this.#routes.set(hostname, route);
    return route;
  }

  /** Does nothing when the name is held by another link or instance by now. */
  release(holder: RouteHolder, wanted: { label: string; instance: string }): void {
    const { label, instance } = readClaim(wanted);
    const hostname = `${label}.${this.#options.domain}`;
    const route = this.#routes.get(hostname);
    if (route?.holder === holder && route.instance === instance) this.#routes.delete(hostname);
  }

  /** The link ended: its names are free for its connector's next link. */
  drop(holder: RouteHolder): void {
    for (const route of this.list()) if (route.holder === holder) this.#routes.delete(route.hostname);
  }
}

/** Whether `holder` may take the name over from a link that is still there. */
function replace(present: Route, holder: RouteHolder, instance: string): void {
  if (present.holder.connector !== holder.connector) {
    throw new TunnelError('ROUTE_DENIED', `the name ${present.label} belongs to another machine: choose another name`);
  }
  if (present.instance !== instance && !present.holder.session.closed) {
    throw new TunnelError('ROUTE_BUSY', `the name ${present.label} is held by another tunnel of this machine`);
  }
  present.holder.session.control.notify('route/lost', {
    label: present.label,
    error: { code: 'ROUTE_BUSY', message: 'a newer link of the same tunnel took the name over', retryable: false },
  });
}

function readClaim(wanted: unknown): { label: string; instance: string } {
  const { label, instance } = (wanted ?? {}) as { label?: unknown; instance?: unknown };
  if (typeof label !== 'string' || typeof instance !== 'string' || !/^[\w-]{1,64}$/.test(instance)) {
    throw new TunnelError('USAGE', 'a claim needs a label, and an instance of up to 64 letters, digits and hyphens');
  }
  const problem = labelProblem(label);
  if (problem !== undefined) throw new TunnelError('ROUTE_DENIED', problem);
  return { label, instance };
}
