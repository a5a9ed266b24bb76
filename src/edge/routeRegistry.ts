// Which links serve which hostname, and who may say so. A name belongs to the connector that first claimed it; among
// that connector's tunnels it belongs to the one instance that is up, and of that to its newest run, all of whose links
// share it. Nobody is ever pushed off a name by a stranger.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import type { Admission } from '../core/admission.ts';
import type { RouteClaim } from '../protocol/edge.ts';
import type { EdgeAuthority } from './edgeAuthority.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { FreshVisitors } from './freshVisitors.ts';
import type { Link } from './links.ts';
import { readClaim } from './readClaim.ts';
import type { RouteSharing } from './routeSharing.ts';

/** Runs that are remembered as overtaken, of one name. */
const maxOvertaken = 8;

export type Route = {
  hostname: string;
  label: string;
  connector: string;
  instance: string;
  run: string;
  /** Runs that lost the name, the newest last: a link of theirs that was on its way must not take it back. */
  overtaken: readonly string[];
  /** At least one, in the order they came. */
  links: Set<Link>;
  admission: Admission | undefined;
  sinceMs: number;
  fresh: FreshVisitors;
};

export type RouteRegistryOptions = {
  domain: string;
  authority: Pick<EdgeAuthority, 'claimLabel' | 'ownerOf'>;
  limits: EdgeLimits;
  clock: Clock;
  /** Whether claims may name autonomous systems. */
  tellsAsns: boolean;
  /** Where the edge has other nodes. */
  sharing?: RouteSharing;
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
  async claim(link: Link, wanted: unknown): Promise<Route> {
    const { authority, domain, limits, sharing } = this.#options;
    const claim = readClaim(wanted, this.#options);
    this.#checkRoom(link, claim.label);
    const hostname = `${claim.label}.${domain}`;
    if (sharing) {
      // First, or the other nodes would let go for a claim that is refused here.
      checkTakeover(this.#routes.get(hostname), link, claim);
      await sharing.claim(claim, link.connector);
    } else await authority.claimLabel(claim.label, link.connector);
    if (link.session.closed) throw new TunnelError('CLOSED', 'the link ended before the name was claimed');
    if (authority.ownerOf(claim.label) !== link.connector) {
      throw new TunnelError('ROUTE_DENIED', `the name ${claim.label} was given to another machine meanwhile`);
    }

    this.#checkRoom(link, claim.label); // Other claims of this link may have come to their end meanwhile.
    const present = this.#routes.get(hostname);
    checkTakeover(present, link, claim);
    const route = present?.run === claim.run ? present : this.#make(hostname, link, claim, present);
    for (const gone of route.links) if (gone !== link && isGone(gone, claim)) this.#end(route, gone);
    if (!route.links.has(link) && route.links.size >= limits.maxLinksPerRoute) {
      throw new TunnelError('LIMIT', `a name is served by at most ${limits.maxLinksPerRoute} links`);
    }
    if (present && present !== route) giveUp(present, link);
    if (claim.link !== undefined) link.id = claim.link;
    route.links.add(link);
    route.admission = claim.admission;
    this.#routes.set(hostname, route);
    await sharing?.publish(route);
    return route;
  }

  /** Does nothing when the name is held by another link or instance by now. */
  release(link: Link, wanted: { label: string; instance: string }): void {
    const { label, instance } = wanted ?? {};
    if (typeof label !== 'string' || labelProblem(label) !== undefined) return;
    const route = this.#routes.get(`${label}.${this.#options.domain}`);
    if (route?.instance === instance) this.#leave(route, link);
  }

  /** The name as its connector's no more: what served it, when the label has another owner by now, or none. */
  disown(label: string): Route | undefined {
    const { authority, domain } = this.#options;
    const route = this.#routes.get(`${label}.${domain}`);
    if (!route || authority.ownerOf(label) === route.connector) return undefined;
    this.#remove(route);
    return route;
  }

  /** The run has the name no longer: what served it, and heard so. */
  lose({ label, run }: { label: string; run: string }): Route | undefined {
    const route = this.#routes.get(`${label}.${this.#options.domain}`);
    if (route?.run !== run) return undefined;
    giveUp(route);
    this.#remove(route);
    return route;
  }

  /** The link ended: names that no other link serves are free for its connector's next one. */
  drop(link: Link): void {
    for (const route of this.list()) this.#leave(route, link);
  }

  /** Its connector has lost it: new visitors would wait on it in vain until its pings are missed. */
  #end(route: Route, gone: Link): void {
    route.links.delete(gone);
    void gone.session.close();
  }

  #checkRoom(link: Link, label: string): void {
    const { maxRoutesPerSession } = this.#options.limits;
    const others = this.list().filter((route) => route.links.has(link) && route.label !== label);
    if (others.length < maxRoutesPerSession) return;
    throw new TunnelError('LIMIT', `one link serves at most ${maxRoutesPerSession} names`);
  }

  #leave(route: Route, link: Link): void {
    route.links.delete(link);
    if (route.links.size === 0 && this.#routes.get(route.hostname) === route) this.#remove(route);
  }

  #remove({ hostname, label, run }: Route): void {
    this.#routes.delete(hostname);
    this.#options.sharing?.withdraw(label, run);
  }

  #make(hostname: string, { connector }: Link, claim: RouteClaim, present: Route | undefined): Route {
    const { label, instance, run, admission } = claim;
    const overtaken = present ? [...present.overtaken, present.run].slice(-maxOvertaken) : [];
    const { limits, clock } = this.#options;
    const rate = () => ({ perSecond: limits.visitorsPerSecond, burst: limits.visitorBurst });
    const fresh = new FreshVisitors({ clock, rate });
    const sinceMs = clock.now();
    return { hostname, label, connector, instance, run, overtaken, links: new Set(), admission, sinceMs, fresh };
  }
}

const isGone = ({ id }: Link, { gone = [] }: RouteClaim): boolean => id !== undefined && gone.includes(id);

const overtakenBy = 'a newer run of the same tunnel took the name over';

/** Whether the link may serve a name that is served already. */
function checkTakeover(present: Route | undefined, link: Link, { label, instance, run }: RouteClaim): void {
  if (!present) return;
  if (present.connector !== link.connector) {
    throw new TunnelError('ROUTE_DENIED', `the name ${label} belongs to another machine: choose another name`);
  }
  const isAlive = [...present.links].some(({ session }) => !session.closed);
  if (present.instance !== instance && isAlive) {
    throw new TunnelError('ROUTE_BUSY', `the name ${label} is held by another tunnel of this machine`);
  }
  if (present.overtaken.includes(run)) throw new TunnelError('ROUTE_BUSY', overtakenBy, { retryable: false });
}

/** What is left of an earlier run hears that it lost the name; a link that goes on to serve it does not. */
function giveUp(present: Route, next?: Link): void {
  for (const link of present.links) {
    if (link === next) continue;
    link.session.control.notify('route/lost', {
      label: present.label,
      error: { code: 'ROUTE_BUSY', message: overtakenBy, retryable: false },
    });
  }
}
