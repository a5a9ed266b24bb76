// Regular expressions that take time in proportion to the text, whatever they are and whatever the text is: a policy file
// may be a stranger's, and the text is an agent's. Patterns become a machine that is in many states at once; nothing is
// ever tried again. What cannot be done so (references back, looking around) is refused.

/** States of one pattern; `{n,m}` counts as often as it repeats. */
export const maxStates = 256;

/** UTF-16 units of a text that is tried; a longer one cannot be judged. */
export const maxTestedLength = 4_096;

/** Thrown by {@link LinearPattern.test} for a text that cannot be judged. */
export class Unjudgeable extends Error {}

type Atom = (char: string) => boolean;
/** `split` goes on in both ways without a character; `start` and `end` only there. */
type State =
  | { kind: 'char'; atom: Atom; next: number }
  | { kind: 'split'; ways: readonly [number, number] }
  | { kind: 'start' | 'end'; next: number }
  | { kind: 'done' };

export class LinearPattern {
  readonly #source: string;
  readonly #states: State[] = [];
  readonly #first: number;
  readonly #spend: (steps: number) => void;

  /** `spend` hears of the steps that a test takes, and may throw. Throws `SyntaxError` saying what cannot be done. */
  constructor(source: string, spend: (steps: number) => void = () => {}) {
    this.#source = new RegExp(source, 'u').source; // Whatever that refuses is no pattern at all.
    this.#spend = spend;
    this.#first = new Reader(this.#source, this.#states).read();
  }

  /** Whether the pattern is anywhere in the text, as `RegExp.test` with the flag `u` says. */
  test(text: string): boolean {
    if (text.length > maxTestedLength) throw new Unjudgeable(`is longer than ${maxTestedLength} characters`);
    const chars = Array.from(text);
    let current = new Set<number>();
    for (let at = 0; at <= chars.length; at += 1) {
      if (this.#enter(this.#first, current, at, chars.length)) return true; // It may begin anywhere.
      this.#spend(current.size + 1);
      const next = new Set<number>();
      const char = chars[at];
      if (char === undefined) return false;
      for (const place of current) {
        const state = this.#states[place]!;
        if (state.kind !== 'char' || !state.atom(char)) continue;
        if (this.#enter(state.next, next, at + 1, chars.length)) return true;
      }
      current = next;
    }
    return false;
  }

  /** ajv tells patterns apart by this. */
  toString(): string {
    return this.#source;
  }

  /** Adds the state and all that follow without a character; true when one of them is the end. */
  #enter(place: number, into: Set<number>, at: number, length: number): boolean {
    const waiting = [place];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (into.has(next)) continue;
      into.add(next);
      const state = this.#states[next]!;
      if (state.kind === 'done') return true;
      if (state.kind === 'split') waiting.push(...state.ways);
      else if (state.kind === 'start' && at === 0) waiting.push(state.next);
      else if (state.kind === 'end' && at === length) waiting.push(state.next);
    }
    return false;
  }
}

/** A part of a pattern: given the state that follows, adds its own and says where it begins. */
type Part = (next: number) => number;

class Reader {
  readonly #source: string;
  readonly #states: State[];
  #at = 0;

  constructor(source: string, states: State[]) {
    this.#source = source;
    this.#states = states;
  }

  read(): number {
    const whole = this.#alternatives();
    return whole(this.#add({ kind: 'done' }));
  }

  #alternatives(): Part {
    const ways = [this.#sequence()];
    while (this.#take('|')) ways.push(this.#sequence());
    return ways.reduce((left, right) => (next) => this.#split(left(next), right(next)));
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) parts.push(this.#repeated());
    return (next) => parts.reduceRight((after, part) => part(after), next);
  }

  #repeated(): Part {
    const part = this.#single();
    const counted = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(this.#source.slice(this.#at));
    if (!counted) return part;
    this.#at += counted[0].length;
    const [, sign, least = '', comma, most = ''] = counted;
    if (sign === '*') return this.#any(part);
    if (sign === '+') return (next) => this.#loop(part, next);
    if (sign === '?') return (next) => this.#split(part(next), next);
    const from = Number(least);
    const to = comma === '' ? from : most === '' ? undefined : Number(most);
    if (Math.max(from, to ?? 0) > maxStates) throw new SyntaxError(`repeats more than ${maxStates} times`);
    const more = to === undefined ? 0 : to - from;
    return (next) => {
      let start = to === undefined ? this.#any(part)(next) : next;
      for (let times = 0; times < more; times += 1) start = this.#split(part(start), next);
      for (let times = 0; times < from; times += 1) {
        const before = part(start);
        // Nothing, however often: each state counts, but `(?:(?:){256}){256}…` has none, and would take for ever.
        if (before === start) break;
        start = before;
      }
      return start;
    };
  }

  #any(part: Part): Part {
    return (next) => {
      const split = this.#add({ kind: 'done' });
      this.#states[split] = { kind: 'split', ways: [part(split), next] };
      return split;
    };
  }

  /** Once, and then as often as it comes. */
  #loop(part: Part, next: number): number {
    return part(this.#any(part)(next));
  }

  #single(): Part {
    if (this.#take('^')) return (next) => this.#add({ kind: 'start', next });
    if (this.#take('$')) return (next) => this.#add({ kind: 'end', next });
    if (this.#take('(')) return this.#group();
    const [source = ''] =
      /^(?:\[(?:[^\]\\]|\\.)*\]|\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|[pP]\{[^}]*\}|.)|.)/isu.exec(
        this.#source.slice(this.#at),
      ) ?? [];
    this.#at += source.length;
    if (/^\\[1-9kbB]/.test(source)) throw new SyntaxError(`${source} cannot be used`);
    const atom = atomOf(source);
    return (next) => this.#add({ kind: 'char', atom, next });
  }

  #group(): Part {
    if (this.#take('?:') || !this.#source.startsWith('?', this.#at)) {
      const inside = this.#alternatives();
      this.#take(')');
      return inside;
    }
    throw new SyntaxError(`(${this.#source.slice(this.#at, this.#at + 2)} cannot be used`);
  }

  #split(left: number, right: number): number {
    return this.#add({ kind: 'split', ways: [left, right] });
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #add(state: State): number {
    if (this.#states.length >= maxStates) throw new SyntaxError(`is larger than ${maxStates} steps`);
    return this.#states.push(state) - 1;
  }
}

/** One character is all that the built-in engine is ever asked about. */
function atomOf(source: string): Atom {
  if (source.length === 1 && source !== '.') return (char) => char === source;
  const one = new RegExp(`^(?:${source})$`, 'u');
  return (char) => one.test(char);
}
