// Bytes in, lines out: splits on LF only (a CR before it is kept out), one byte at a time or a megabyte at once.
// A line over the limit is dropped whole and reported once; the next line is read normally.
import { ByteBuffer } from './byteBuffer.ts';
import { TunnelError } from './errors.ts';

export type LineSplitterOptions = {
  /** Longest line in bytes, without its LF. */
  maxLineBytes: number;
  /** The line, and the bytes it was made of: ours to keep. A BOM in front of a line is in the bytes only. */
  onLine: (line: string, bytes: Uint8Array) => void;
  onOverlong: (error: TunnelError) => void;
};

const LF = 0x0a;
const CR = 0x0d;

export class LineSplitter {
  readonly #options: LineSplitterOptions;
  readonly #decoder = new TextDecoder('utf-8');
  readonly #line = new ByteBuffer();
  #skipping = false;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** At the end of the input: a last line without LF counts. */
  end(): void {
    if (this.#line.length > 0 || this.#skipping) this.#endLine();
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0 || this.#skipping) return;
    if (this.#line.length + part.length > this.#options.maxLineBytes) {
      this.#skipping = true;
      this.#line.clear();
      this.#options.onOverlong(new TunnelError('LIMIT', `a line is longer than ${this.#options.maxLineBytes} bytes`));
      return;
    }
    this.#line.append(part);
  }

  #endLine(): void {
    const skipped = this.#skipping;
    this.#skipping = false;
    if (skipped) return;
    const bytes = this.#line.take();
    const line = bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes;
    this.#options.onLine(this.#decoder.decode(line), line);
  }
}
