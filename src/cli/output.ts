// Where the command's words go: with `--json` one object a line on stdout and nothing else there, without it text for
// people; logs on stderr in both cases. Every text is made safe for a terminal here, whoever wrote it.
import type { Writable } from 'node:stream';
import { plainJson, plainLine, plainText } from './plainText.ts';

/** Samples (finished exchanges) are dropped while a reader that does not read leaves more than this waiting. */
export const maxWaitingBytes = 1024 * 1024;

/** Lines kept while a person is asked something; more are counted. */
export const maxHeldLines = 200;

export type OutputOptions = {
  stdout: Writable;
  stderr: Writable;
  json: boolean;
  /** Whether each of the two shows colours. */
  colour: { stdout: boolean; stderr: boolean };
};

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const SGR: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** A text with a style, or a plain one. */
export type Span = string | { text: string; style: Style };

export class Output {
  readonly json: boolean;
  readonly #options: OutputOptions;
  #droppedSamples = 0;
  #held: (() => void)[] | undefined;
  #unseen = 0;

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.#options = options;
  }

  /** Samples that were not written because nobody read. */
  get droppedSamples(): number {
    return this.#droppedSamples;
  }

  /** One line of the contract. Nothing without `--json`. */
  event(event: object): void {
    if (this.json) this.#options.stdout.write(`${plainJson(event)}\n`);
  }

  /** Like {@link event}, for what may be lost when the reader is slow. */
  sample(event: object): void {
    if (this.#options.stdout.writableLength > maxWaitingBytes) this.#droppedSamples += 1;
    else this.event(event);
  }

  /** A line for people. Nothing with `--json`. */
  line(...spans: Span[]): void {
    if (!this.json) this.#show(() => this.#options.stdout.write(`${render(spans, this.#options.colour.stdout)}\n`));
  }

  /** A line for people on stderr, with and without `--json`. */
  log(...spans: Span[]): void {
    this.#show(() => this.#options.stderr.write(`${render(spans, this.#options.colour.stderr)}\n`));
  }

  /** Where a person is asked something: never among the lines that a program reads. */
  get questions(): Writable {
    return this.#options.stderr;
  }

  /** Lines wait until the returned function is called, so that they do not run through a question. */
  hold(): () => void {
    this.#held ??= [];
    return () => {
      const held = this.#held ?? [];
      const unseen = this.#unseen;
      this.#held = undefined;
      this.#unseen = 0;
      for (const show of held) show();
      if (unseen > 0) this.line({ text: `… and ${unseen} more lines`, style: 'dim' });
    };
  }

  /** Columns as wide as their content needs. A cell is one line. Nothing with `--json`. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const cells = rows.map((row) => row.map(plainLine));
    const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
    const pad = (row: readonly string[]): string =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
    this.line({ text: pad(head), style: 'dim' });
    for (const row of cells) this.line(pad(row));
  }

  #show(show: () => void): void {
    if (!this.#held) show();
    else if (this.#held.length < maxHeldLines) this.#held.push(show);
    else this.#unseen += 1;
  }

  /** Resolves when everything was handed to the system, or its reader has gone. */
  async flush(): Promise<void> {
    await Promise.all([this.#options.stdout, this.#options.stderr].map(flushed));
  }
}

function render(spans: readonly Span[], colour: boolean): string {
  return spans
    .map((span) => {
      if (typeof span === 'string') return plainText(span);
      return colour ? `\u001b[${SGR[span.style]}m${plainText(span.text)}\u001b[0m` : plainText(span.text);
    })
    .join('');
}

function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) return resolve();
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}

/** Colours on a terminal only, and not where NO_COLOR (no-color.org) is set. */
export function showsColour(stream: { isTTY?: boolean }, env: Record<string, string | undefined>): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
