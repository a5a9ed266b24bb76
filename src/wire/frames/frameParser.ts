// Bytes of a link become frames, whatever pieces they come in. DATA is passed on as it comes, uncopied and maybe in
// several pieces; any other frame is handed over whole. Hostile bytes end in a `ProtocolError` and nothing else.
import { frameType, headBytes, maxDataBytes, maxOtherBytes, ProtocolError } from './frame.ts';

export type FrameHandler = {
  /** A piece of a DATA frame; `bytes` is never empty. */
  onData(stream: number, bytes: Buffer): void;
  /** `payload` is valid during the call only. */
  onFrame(type: number, stream: number, payload: Buffer): void;
};

export class FrameParser {
  readonly #handler: FrameHandler;
  /** The head, or a short frame, that came in pieces. */
  readonly #kept = Buffer.alloc(headBytes + maxOtherBytes);
  #keptBytes = 0;
  /** Of the DATA frame that is being passed on. */
  #dataStream = 0;
  #dataLeft = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Throws `ProtocolError`; nothing may be pushed after that. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#dataLeft > 0) {
        const end = Math.min(chunk.length, at + this.#dataLeft);
        this.#dataLeft -= end - at;
        const piece = at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end);
        at = end;
        this.#handler.onData(this.#dataStream, piece);
      } else if (this.#keptBytes > 0) at = this.#complete(chunk, at);
      else at = this.#frame(chunk, at);
    }
  }

  /** One frame, or the beginning of one, from `at` on; returns where it ends. */
  #frame(chunk: Buffer, at: number): number {
    if (chunk.length - at < headBytes) return this.#keep(chunk, at, chunk.length);
    const length = checkedLength(chunk, at);
    const stream = chunk.readUInt32BE(at + 4);
    const body = at + headBytes;
    if (chunk[at] === frameType.data) {
      this.#dataStream = stream;
      this.#dataLeft = length;
      return body;
    }
    const end = body + length;
    if (end > chunk.length) return this.#keep(chunk, at, chunk.length);
    this.#handler.onFrame(chunk[at]!, stream, chunk.subarray(body, end));
    return end;
  }

  #keep(chunk: Buffer, from: number, to: number): number {
    this.#keptBytes += chunk.copy(this.#kept, this.#keptBytes, from, to);
    return to;
  }

  /** Adds to what was kept until it is a frame; returns how far `chunk` was used up. */
  #complete(chunk: Buffer, at: number): number {
    let next = at;
    if (this.#keptBytes < headBytes) {
      next = this.#keep(chunk, at, Math.min(chunk.length, at + headBytes - this.#keptBytes));
      if (this.#keptBytes < headBytes) return next;
    }
    const kept = this.#kept;
    const length = checkedLength(kept, 0);
    const isData = kept[0] === frameType.data;
    const missing = isData ? 0 : headBytes + length - this.#keptBytes;
    next = this.#keep(chunk, next, Math.min(chunk.length, next + missing));
    if (!isData && this.#keptBytes < headBytes + length) return next;
    this.#keptBytes = 0;
    this.#frame(kept.subarray(0, isData ? headBytes : headBytes + length), 0);
    return next;
  }
}

const lengths: Readonly<Record<number, readonly [least: number, most: number]>> = {
  [frameType.data]: [1, maxDataBytes],
  [frameType.open]: [0, maxOtherBytes],
  [frameType.end]: [0, 0],
  [frameType.cut]: [4, 4],
  [frameType.credit]: [4, 4],
  [frameType.ack]: [4, 4],
  [frameType.ping]: [4, 4],
  [frameType.pong]: [4, 4],
  [frameType.goaway]: [0, maxOtherBytes],
};

function checkedLength(bytes: Buffer, at: number): number {
  const type = bytes[at]!;
  const bounds = lengths[type];
  if (!bounds || bytes[at + 1] !== 0) throw new ProtocolError(`a frame of an unknown type (${type})`);
  const length = bytes.readUInt16BE(at + 2);
  if (length < bounds[0] || length > bounds[1]) {
    throw new ProtocolError(`a frame of type ${type} with ${length} bytes`);
  }
  return length;
}
