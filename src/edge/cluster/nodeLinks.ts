// The links to other nodes that this one needs: dialled when a visitor is to be handed on, kept while they are used, and
// not dialled again for a moment after they failed, so that a node that is gone costs a visitor nothing.
import { Backoff } from '../../core/backoff.ts';
import type { Clock, Random } from '../../core/clock.ts';
import { errorInfo, TunnelError } from '../../core/errors.ts';
import { parseHostPort } from '../../core/hostname.ts';
import { openEdgeLink } from '../../wire/framings.ts';
import type { EdgeLink } from '../../wire/link.ts';
import type { EdgeLog } from '../edgeLog.ts';
import { dialNode, nodeDoorOf, type NodeIdentity } from './nodeIdentity.ts';
import type { NodeRecord } from './sharedRecords.ts';

/** A link without visitors is closed after this. */
export const idleLinkMs = 60_000;
/** Visitors of a link from which on one more link is dialled, and how many there may be. */
export const busyStreams = 256;
export const maxLinksPerNode = 4;
export const redialBaseMs = 200;
export const redialMaxMs = 5_000;

export type NodeLinksOptions = {
  identity: NodeIdentity;
  domain: string;
  clock: Clock;
  random: Random;
  log: EdgeLog;
};

type Way = { links: Set<EdgeLink>; dialling: Promise<EdgeLink> | undefined; backoff: Backoff; notBeforeMs: number };

export class NodeLinks {
  readonly #options: NodeLinksOptions;
  readonly #ways = new Map<string, Way>();
  #isClosed = false;

  constructor(options: NodeLinksOptions) {
    this.#options = options;
  }

  /** Whether a link to it stands. */
  isOpen(node: string): boolean {
    return this.#idlest(node) !== undefined;
  }

  /** Whether dialling it failed just now. */
  isDown(node: string): boolean {
    const way = this.#ways.get(node);
    return way !== undefined && way.links.size === 0 && this.#options.clock.now() < way.notBeforeMs;
  }

  /** The idlest link to the node. Throws `EDGE_UNREACHABLE`, at once where it failed just now, or `EDGE_IDENTITY`. */
  async reach(node: NodeRecord): Promise<EdgeLink> {
    if (this.#isClosed) throw new TunnelError('CLOSED', 'this node is stopping');
    const link = this.#idlest(node.id);
    if (!link) return this.#dial(node);
    const { size = 0 } = this.#ways.get(node.id)?.links ?? {};
    // For those who come later.
    if (link.streams >= busyStreams && size < maxLinksPerNode) this.#dial(node).catch(() => {});
    return link;
  }

  /** The node is gone: links that still stand go on, what is known of it beside them is forgotten. */
  forget(node: string): void {
    if (this.#ways.get(node)?.links.size === 0) this.#ways.delete(node);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ways = [...this.#ways.values()];
    await Promise.all(ways.flatMap(({ links }) => Array.from(links, (link) => link.close())));
    for (const { dialling } of ways) await dialling?.then((link) => link.close()).catch(() => {});
  }

  #idlest(node: string): EdgeLink | undefined {
    let best: EdgeLink | undefined;
    for (const link of this.#ways.get(node)?.links ?? []) {
      if (!link.closed && (!best || link.streams < best.streams)) best = link;
    }
    return best;
  }

  #dial(node: NodeRecord): Promise<EdgeLink> {
    const { clock, random } = this.#options;
    const way = this.#ways.get(node.id) ?? {
      links: new Set(),
      dialling: undefined,
      backoff: new Backoff({ baseMs: redialBaseMs, maxMs: redialMaxMs, random }),
      notBeforeMs: 0,
    };
    this.#ways.set(node.id, way);
    if (way.dialling) return way.dialling;
    if (clock.now() < way.notBeforeMs) {
      return Promise.reject(new TunnelError('EDGE_UNREACHABLE', `node ${node.id} could not be reached just now`));
    }
    const dialling = this.#open(node, way).finally(() => (way.dialling = undefined));
    way.dialling = dialling;
    return dialling;
  }

  async #open(node: NodeRecord, way: Way): Promise<EdgeLink> {
    const { identity, domain, clock, log } = this.#options;
    try {
      const at = parseHostPort(node.address, 443);
      const socket = await dialNode(at, { id: node.id, door: nodeDoorOf(domain), identity, clock });
      const link = openEdgeLink(socket, { clock });
      link.control.start();
      way.links.add(link);
      way.backoff.reset();
      way.notBeforeMs = 0;
      link.onClose(() => {
        way.links.delete(link);
        log.info('node-link-closed', `the link to node ${node.id} ended`, { node: node.id });
      });
      this.#closeWhenIdle(link);
      return link;
    } catch (error) {
      way.notBeforeMs = clock.now() + Math.max(redialBaseMs, way.backoff.next());
      log.warn('node-unreachable', errorInfo(error).message, { node: node.id });
      throw error;
    }
  }

  #closeWhenIdle(link: EdgeLink): void {
    let wasIdle = false;
    const look = (): void => {
      if (link.closed) return;
      if (link.streams === 0 && wasIdle) return void link.close();
      wasIdle = link.streams === 0;
      timer = this.#options.clock.after(idleLinkMs, look);
    };
    let timer = this.#options.clock.after(idleLinkMs, look);
    link.onClose(() => timer.cancel());
  }
}
