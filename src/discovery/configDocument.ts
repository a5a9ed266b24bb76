// A configuration file as a tree that knows where everything stands, whatever its syntax: readers of servers work on
// this and say where a fault is. The tree is jsonc-parser's; YAML and TOML are brought into the same shape.
import type { Node } from 'jsonc-parser';

/** `line` and `column` count from 1. */
export type Place = { line: number; column: number };
export type Fault = Place & { message: string };

/** Deepest nesting that is read; parsers are recursive, and no configuration comes near. */
export const maxNesting = 64;

/** Faults reported for one text; what follows the first few is mostly their echo. */
export const maxFaults = 5;

export interface ConfigDocument {
  /** Absent where nothing could be read; `faults` says why. */
  readonly root: Node | undefined;
  readonly faults: readonly Fault[];
  place(offset: number): Place;
  /** Whether what stands there cannot be trusted, because of a syntax error inside. */
  isDamaged(node: Node): boolean;
}

/** From an offset to a line and a column. */
export class LineIndex {
  readonly #starts: number[];

  constructor(text: string) {
    this.#starts = [0];
    for (const match of text.matchAll(/\r\n|\n|\r/g)) this.#starts.push(match.index + match[0].length);
  }

  place(offset: number): Place {
    const line = countBelow(this.#starts, offset + 1);
    return { line, column: offset - (this.#starts[line - 1] ?? 0) + 1 };
  }
}

/** How many of the ascending `numbers` are below `limit`. */
export function countBelow(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first fault of each line, and no more than a person reads. */
export function firstPerLine(faults: readonly Fault[]): Fault[] {
  const lines = new Set<number>();
  return faults.filter(({ line }) => !lines.has(line) && lines.add(line)).slice(0, maxFaults);
}
