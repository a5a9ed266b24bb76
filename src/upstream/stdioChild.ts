// A server's process as a sender and receiver of JSON-RPC lines (MCP "stdio" transport): newline-delimited UTF-8 JSON
// both ways, stderr for people. Tells messages from noise and remembers the last words for an error.
import type { TunnelError } from '../core/errors.ts';
import { LineSplitter } from '../core/lines.ts';
import type { Exit } from './childProcess.ts';
import { readChildLine, type ChildMessage } from './childMessage.ts';
import type { MessagePipe } from './messagePipe.ts';
import type { StdioLimits } from './stdioLimits.ts';

export type StdioChildEvents = {
  onMessage: (message: ChildMessage) => void;
  onNoise: (line: string) => void;
  onStderr: (line: string) => void;
  /** A line was too long to be read; nobody knows what was in it. */
  onOverlong: (error: TunnelError) => void;
  /** It wrote nothing but noise from the start: it is no MCP server. */
  onBabble: () => void;
  /** After everything it wrote. */
  onExit: (exit: Exit) => void;
};

export type LastWords = { stderr: string[]; noise: string | undefined };

export class StdioChild {
  readonly #process: MessagePipe;
  readonly #limits: StdioLimits;
  readonly #events: StdioChildEvents;
  readonly #stderrTail: string[] = [];
  #firstNoise: string | undefined;
  #noiseLines = 0;
  #hasSpoken = false;
  #hasBabbled = false;
  #pauses = 0;
  #isEnding = false;

  constructor(process: MessagePipe, limits: StdioLimits, events: StdioChildEvents) {
    this.#process = process;
    this.#limits = limits;
    this.#events = events;
    this.#readStdout();
    this.#readStderr();
    void process.exited.then(events.onExit);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get lastWords(): LastWords {
    return { stderr: [...this.#stderrTail], noise: this.#firstNoise };
  }

  /** Whether it still reads what it is sent. */
  get hasRoom(): boolean {
    return this.#process.stdin.writableLength <= this.#limits.maxUnreadInputBytes;
  }

  /** One message; line breaks between its tokens become spaces. */
  send(message: Uint8Array): void {
    if (!this.#process.stdin.writable) return; // It is ending; `onExit` answers whoever waits.
    const line = Buffer.alloc(message.length + 1, message);
    for (let at = 0; at < message.length; at += 1) {
      if (line[at] === 0x0a || line[at] === 0x0d) line[at] = 0x20;
    }
    line[message.length] = 0x0a;
    this.#process.stdin.write(line);
  }

  /** Leaves its stdout unread until as many {@link resume} as `pause` were called. */
  pause(): void {
    this.#pauses += 1;
    this.#process.stdout.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#process.stdout.resume();
  }

  /** Whether we end it. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  end(): Promise<void> {
    this.#isEnding = true;
    return this.#process.end();
  }

  #readStdout(): void {
    const splitter = new LineSplitter({
      maxLineBytes: this.#limits.maxLineBytes,
      onLine: (line, bytes) => this.#line(line, bytes),
      onOverlong: this.#events.onOverlong,
    });
    this.#process.stdout.on('data', (chunk: Buffer) => splitter.push(chunk));
    this.#process.stdout.on('end', () => splitter.end());
    this.#process.stdout.on('error', () => {}); // It ended; `exited` tells.
  }

  #line(line: string, bytes: Uint8Array): void {
    if (this.#hasBabbled || line.trim() === '') return;
    const messages = readChildLine(line, withoutBom(bytes));
    if (messages) {
      this.#hasSpoken = true;
      for (const message of messages) this.#events.onMessage(message);
      return;
    }
    this.#noiseLines += 1;
    this.#firstNoise ??= this.#shown(line);
    this.#events.onNoise(this.#shown(line));
    if (this.#hasSpoken || this.#noiseLines <= this.#limits.maxNoiseLines) return;
    this.#hasBabbled = true;
    this.#events.onBabble();
  }

  #readStderr(): void {
    const splitter = new LineSplitter({
      maxLineBytes: this.#limits.maxShownChars * 4,
      onLine: (line) => this.#stderr(this.#shown(line)),
      onOverlong: () => this.#stderr('(a longer line was left out)'),
    });
    this.#process.stderr.on('data', (chunk: Buffer) => splitter.push(chunk));
    this.#process.stderr.on('end', () => splitter.end());
    this.#process.stderr.on('error', () => {}); // It ended; `exited` tells.
  }

  #stderr(line: string): void {
    this.#stderrTail.push(line);
    if (this.#stderrTail.length > this.#limits.stderrTailLines) this.#stderrTail.shift();
    this.#events.onStderr(line);
  }

  #shown(line: string): string {
    return line.length <= this.#limits.maxShownChars ? line : `${line.slice(0, this.#limits.maxShownChars)}…`;
  }
}

/** Some runtimes write a byte order mark in front of their first line. */
function withoutBom(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
