// Looks ahead in a stream of lines without keeping them.
import type { Line } from './chainLines.ts';

export class LineWindow {
  readonly #lines: AsyncIterator<Line, void>;
  readonly #ahead: Line[] = [];

  constructor(lines: AsyncGenerator<Line, void>) {
    this.#lines = lines;
  }

  async take(): Promise<Line | undefined> {
    return this.#ahead.shift() ?? (await this.#pull());
  }

  async peek(distance: number): Promise<Line | undefined> {
    while (this.#ahead.length <= distance) {
      const line = await this.#pull();
      if (!line) return undefined;
      this.#ahead.push(line);
    }
    return this.#ahead[distance];
  }

  /** Whether any later line has this number; reads to the end. */
  async contains(seq: number): Promise<boolean> {
    for (let line = await this.take(); line; line = await this.take()) if (line.record?.link.seq === seq) return true;
    return false;
  }

  async #pull(): Promise<Line | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }
}
