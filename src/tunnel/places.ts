// Where the next link goes: to the edge as this machine knows it, or to another node that the edge has named. The links
// of a tunnel are spread over two of them, so that neither's end takes the tunnel down.
import { TunnelError } from '../core/errors.ts';
import type { Random } from '../core/clock.ts';
import { formatHostPort, parseHostPort, type HostPort } from '../core/hostname.ts';

/** Nodes that are looked at, of those an edge names. */
export const maxNodes = 16;
/** Over how many places the links are spread. */
const spread = 2;

/** `undefined` is the edge itself, under its domain or the address from enrolment. */
export type Place = HostPort | undefined;

export class Places {
  readonly #random: Random;
  #nodes: readonly HostPort[] = [];
  /** Those that failed, or are about to stop; forgotten when nothing else is left. */
  readonly #shunned = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** What the edge said last of its other nodes; what is no `host:port` is left out. */
  learn(nodes: unknown): void {
    if (!Array.isArray(nodes)) return;
    this.#nodes = nodes.slice(0, maxNodes).flatMap((text) => readNode(text) ?? []);
  }

  /** For the next link, beside those at `present`. */
  next(present: readonly Place[]): Place {
    const all: Place[] = [undefined, ...this.#nodes];
    if (all.every((place) => this.#shunned.has(nameOf(place)))) this.#shunned.clear();
    const usable = all.filter((place) => !this.#shunned.has(nameOf(place)));
    const count = (place: Place): number => present.filter((other) => nameOf(other) === nameOf(place)).length;
    const inUse = usable.filter((place) => count(place) > 0);
    const fresh = usable.filter((place) => count(place) === 0);
    if (fresh.length > 0 && inUse.length < spread) {
      return fresh.includes(undefined) ? undefined : fresh[Math.floor(this.#random() * fresh.length)];
    }
    return inUse.reduce((best, place) => (count(place) < count(best) ? place : best), inUse[0]);
  }

  /** The next one goes elsewhere, if there is an elsewhere. */
  shun(place: Place): void {
    this.#shunned.add(nameOf(place));
  }

  praise(place: Place): void {
    this.#shunned.delete(nameOf(place));
  }
}

const nameOf = (place: Place): string => (place ? formatHostPort(place) : '');

function readNode(text: unknown): HostPort | undefined {
  if (typeof text !== 'string' || text.length > 300) return undefined;
  try {
    return parseHostPort(text, 443);
  } catch (error) {
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}
