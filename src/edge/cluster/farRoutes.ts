// Visitors whose name another node serves. The first node that answers has them; one that is gone, or does not serve the
// name any more, is passed over as long as it gave no byte back.
import type { Clock } from '../../core/clock.ts';
import type { VisitorStream } from '../../wire/link.ts';
import type { EdgeLimits } from '../edgeLimits.ts';
import type { Elsewhere, FarRoute, VisitorEnd } from '../elsewhere.ts';
import { FreshVisitors } from '../freshVisitors.ts';
import type { NodeLeases } from './nodeLeases.ts';
import type { NodeLinks } from './nodeLinks.ts';
import type { RouteLeases } from './routeLeases.ts';
import type { RouteRecord } from './sharedRecords.ts';

/** How long one node may take until the first byte of an answer, and all that are tried together. */
export const nodeAnswerMs = 10_000;
export const anyAnswerMs = 15_000;
/** Names whose rate of visitors is remembered; at the limit the oldest begins anew. */
const maxRates = 10_000;

export type FarRoutesOptions = {
  domain: string;
  leases: RouteLeases;
  nodes: NodeLeases;
  links: NodeLinks;
  limits: EdgeLimits;
  clock: Clock;
};

export class FarRoutes implements Elsewhere {
  readonly #options: FarRoutesOptions;
  readonly #rates = new Map<string, FreshVisitors>();

  constructor(options: FarRoutesOptions) {
    this.#options = options;
  }

  find(hostname: string): FarRoute | undefined {
    const { domain, leases } = this.#options;
    const label = hostname.endsWith(`.${domain}`) ? hostname.slice(0, -domain.length - 1) : '';
    const [newest] = leases.find(label).sort((one, other) => other.sinceMs - one.sinceMs);
    if (!newest) return undefined;
    const { connector, admission } = newest;
    return { hostname, connector, admission, fresh: this.#rateOf(label) };
  }

  async open(visitor: VisitorEnd, { hostname }: FarRoute, address: string): Promise<VisitorStream | undefined> {
    const { clock, domain } = this.#options;
    const sent = visitor.read() as Buffer | null;
    const deadlineMs = clock.now() + anyAnswerMs;
    const tried = new Set<string>();
    while (!visitor.destroyed && clock.now() < deadlineMs) {
      // Asked each time: while one did not answer, another may have said that it serves the name.
      const next = this.#inOrder(hostname.slice(0, -domain.length - 1)).find(({ node }) => !tried.has(node));
      if (!next) return undefined;
      tried.add(next.node);
      const answering = await this.#ask(next.node, { visitor, sent, hostname, address });
      if (answering) return answering;
    }
    return undefined;
  }

  /** Nodes that a link leads to first, those that could not be reached just now last. */
  #inOrder(label: string): RouteRecord[] {
    const { leases, links } = this.#options;
    const rank = ({ node }: RouteRecord): number => (links.isOpen(node) ? 0 : links.isDown(node) ? 2 : 1);
    return leases.find(label).sort((one, other) => rank(one) - rank(other));
  }

  async #ask(
    id: string,
    {
      visitor,
      sent,
      hostname,
      address,
    }: { visitor: VisitorEnd; sent: Buffer | null; hostname: string; address: string },
  ): Promise<VisitorStream | undefined> {
    const { nodes, links, clock } = this.#options;
    const node = nodes.find(id);
    if (!node) return undefined;
    try {
      const link = await links.reach(node);
      if (visitor.destroyed) return undefined;
      const stream = link.openStream({ hostname, visitor: address });
      if (sent) stream.write(sent);
      return await firstByte(stream, visitor, clock);
    } catch {
      return undefined; // The links tell of it; to the visitor it is one node less.
    }
  }

  #rateOf(label: string): FreshVisitors {
    const { clock, limits } = this.#options;
    const known = this.#rates.get(label);
    if (known) return known;
    const [oldest] = this.#rates.keys();
    if (this.#rates.size >= maxRates && oldest !== undefined) this.#rates.delete(oldest);
    const current = () => ({ perSecond: limits.visitorsPerSecond, burst: limits.visitorBurst });
    const rate = new FreshVisitors({ clock, rate: current });
    this.#rates.set(label, rate);
    return rate;
  }
}

/** The stream, paused, with its first bytes in front; `undefined` when it ends before, or the visitor leaves. */
function firstByte(stream: VisitorStream, visitor: VisitorEnd, clock: Clock): Promise<VisitorStream | undefined> {
  return new Promise((resolve) => {
    const settle = (answering: boolean): void => {
      late.cancel();
      stream.off('data', onData).off('end', giveUp).off('close', giveUp);
      visitor.off('close', giveUp);
      if (answering) return resolve(stream);
      // Never reset: what still comes is thrown away.
      stream.end();
      stream.resume();
      resolve(undefined);
    };
    const onData = (chunk: Buffer): void => {
      stream.pause();
      stream.unshift(chunk);
      settle(true);
    };
    const giveUp = (): void => settle(false);
    const late = clock.after(nodeAnswerMs, giveUp);
    stream.on('data', onData).once('end', giveUp).once('close', giveUp);
    visitor.once('close', giveUp);
  });
}
