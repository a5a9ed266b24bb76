// What both ends of a framed link have in common: the table of streams, who may send next, and the life of the
// connection. Everything that is to be sent in one turn of the event loop goes out in one write.
import type { TLSSocket } from 'node:tls';
import type { Clock, TimerHandle } from '../../core/clock.ts';
import { watchHealth } from '../health.ts';
import { RecentBytes } from '../recentBytes.ts';
import { maxControlLineBytes, maxStreamsPerLink, maxUnreadBytesPerLink, streamWindowBytes } from '../windows.ts';
import {
  cutCode,
  encodeDataHead,
  encodeFrame,
  encodeGoaway,
  encodeNumber,
  frameType,
  headBytes,
  maxDataBytes,
  ProtocolError,
} from './frame.ts';
import { FrameParser } from './frameParser.ts';
import { FrameStream, type StreamHost } from './frameStream.ts';
import { ackEveryBytes, InFlight } from './inFlight.ts';

/** What the control conversation may have under way; its lines are far shorter. */
export const controlWindowBytes = 16 * maxControlLineBytes;

/** Handed to the socket and not yet taken by the kernel; above it, DATA waits in its streams, where turns are taken. */
const maxUnwrittenBytes = 256 * 1024;

/** The same with all that is not held back (answers to pings, credit): a peer that lets it grow so far does not read. */
const maxBacklogBytes = 4 << 20;

/** How long the other side may take to read why it is cut off. */
const goodbyeMs = 2000;

/** Writes below this are joined; larger ones are cheaper side by side. */
const joinBytes = 16 * 1024;

export type FrameLinkOptions = {
  clock: Clock;
  /** The other side opened stream 0 (`payload` is empty) or a visitor's stream; throws `ProtocolError`. */
  onOpen: (stream: number, payload: Buffer) => void;
  /** The last stream that was opened, by either side. */
  lastStream: () => number;
  /** The connection is over. `goaway`: what the other side said; `fault`: what it did wrong. */
  onEnd: (end: { goaway?: string; fault?: string }) => void;
};

export class FrameLink implements StreamHost {
  readonly control: FrameStream;
  readonly ended: Promise<void>;
  readonly #options: FrameLinkOptions;
  readonly #socket: TLSSocket;
  /** By number, those on which frames may still come. */
  readonly #streams = new Map<number, FrameStream>();
  /** All that are not closed, visitors' only. */
  readonly #live = new Set<FrameStream>();
  readonly #inFlight = new InFlight();
  readonly #recent = new RecentBytes();
  /** With something to send, in turns. */
  readonly #ring: FrameStream[] = [];
  /** Frames that are held back by nothing. */
  #urgent: Buffer[] = [];
  #isScheduled = false;
  #isOver = false;
  #said: { goaway?: string; fault?: string } = {};
  #received = 0;
  #acknowledged = 0;
  #unread = 0;
  #pings = 0;
  #pingedMs = 0;
  #answered: (() => void) | undefined;
  #goodbye: TimerHandle | undefined;

  constructor(socket: TLSSocket, options: FrameLinkOptions) {
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#options = options;
    this.control = new FrameStream(0, controlWindowBytes, this);
    this.control.on('error', () => {}); // 'close' follows.
    this.#streams.set(0, this.control);
    const parser = new FrameParser({
      onData: (stream, bytes) => this.#onData(stream, bytes),
      onFrame: (type, stream, payload) => this.#onFrame(type, stream, payload),
    });
    socket.on('data', (chunk: Buffer) => this.#parse(parser, chunk));
    socket.on('drain', () => this.#schedule());
    socket.once('end', () => this.destroy());
    this.#ping(); // The first measure of the line.
    const stopHealth = watchHealth({ closed: false, ping: (answered) => this.#ping(answered) }, options.clock, () =>
      this.destroy({ fault: 'silence' }),
    );
    this.ended = new Promise((resolve) => {
      const over = (): void => {
        stopHealth();
        this.#goodbye?.cancel();
        this.#finish();
        options.onEnd(this.#said);
        resolve();
      };
      if (socket.closed) setImmediate(over);
      else socket.once('close', over);
    });
  }

  get isOver(): boolean {
    return this.#isOver || this.#socket.destroyed;
  }

  /** Visitors' streams that are not closed. */
  get streams(): number {
    return this.#live.size;
  }

  get isFull(): boolean {
    return Math.max(this.#live.size, this.#streams.size - 1) >= maxStreamsPerLink;
  }

  get bytesInFlight(): number {
    let waiting = 0;
    for (const stream of this.#live) waiting += stream.waitingBytes;
    return waiting + Math.max(this.#inFlight.bytes - ackEveryBytes, 0) + this.#recent.count(this.#options.clock.now());
  }

  addStream(id: number): FrameStream {
    const stream = new FrameStream(id, streamWindowBytes, this);
    stream.on('error', () => {}); // Whoever uses it looks at 'close' and `rstCode`.
    stream.once('close', () => this.#live.delete(stream));
    this.#streams.set(id, stream);
    this.#live.add(stream);
    return stream;
  }

  /** A frame that waits for nobody. */
  post(frame: Buffer): void {
    if (this.#isOver) return;
    this.#urgent.push(frame);
    this.#schedule();
  }

  /** Ends it at once, all streams with it. */
  destroy(said: { fault?: string } = {}): void {
    this.#said = { ...said, ...this.#said };
    this.#finish();
    this.#socket.destroy();
  }

  /** The other side broke a rule: it is told, and gets nothing more. */
  fail(fault: string): void {
    if (this.#isOver) return;
    this.#said.fault ??= fault;
    this.#finish();
    this.#socket.end(encodeGoaway(fault));
    this.#socket.resume();
    this.#goodbye = this.#options.clock.after(goodbyeMs, () => this.#socket.destroy());
  }

  ready(stream: FrameStream): void {
    if (this.#isOver) return stream.cut(cutCode.linkLost);
    if (!stream.isQueued && stream !== this.control) {
      stream.isQueued = true;
      this.#ring.push(stream);
    }
    this.#schedule();
  }

  credit({ id }: FrameStream, bytes: number): void {
    this.post(encodeNumber(frameType.credit, id, bytes));
  }

  unread(bytes: number): void {
    this.#unread += bytes;
    if (bytes < 0 || this.#unread <= maxUnreadBytesPerLink) return;
    let most: FrameStream | undefined;
    for (const stream of this.#live) if (!most || stream.unreadBytes > most.unreadBytes) most = stream;
    most?.abandon(cutCode.heldTooMuch);
  }

  gone(stream: FrameStream, code: number | undefined): void {
    if (this.#streams.get(stream.id) !== stream) return;
    this.#streams.delete(stream.id);
    if (stream === this.control) this.destroy();
    else if (code !== undefined) this.post(encodeNumber(frameType.cut, stream.id, code));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ring.length = 0;
    this.#urgent = [];
    for (const stream of [...this.#streams.values(), ...this.#live]) {
      if (stream !== this.control) stream.cut(cutCode.linkLost);
    }
    this.#streams.clear();
    this.control.destroy();
  }

  /** A later ping takes the place of one that was not answered. */
  #ping(answered?: () => void): void {
    if (answered) this.#answered = answered;
    this.#pingedMs = performance.now();
    this.post(encodeNumber(frameType.ping, 0, ++this.#pings));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#send()); // After all that this turn brings.
  }

  #send(): void {
    this.#isScheduled = false;
    if (this.#isOver) return;
    const out = this.#urgent;
    this.#urgent = [];
    while (this.control.sendable > 0) this.#takeData(this.control, out);
    if (this.control.isEndDue) this.#takeEnd(this.control, out);

    const nowMs = performance.now();
    let room = Math.min(this.#inFlight.room, maxUnwrittenBytes - this.#socket.writableLength);
    let sent = 0;
    for (let stream = this.#ring[0]; stream && room > 0; stream = this.#ring[0]) {
      this.#ring.shift();
      stream.isQueued = false;
      const taken = stream.sendable > 0 ? this.#takeData(stream, out) : 0;
      sent += taken;
      room -= taken;
      if (stream.isEndDue) this.#takeEnd(stream, out);
      else if (stream.sendable > 0) this.ready(stream);
    }
    if (sent > 0) {
      this.#inFlight.sent(sent, nowMs);
      this.#recent.add(sent, this.#options.clock.now());
    }
    const unacknowledged = this.#received - this.#acknowledged;
    if (unacknowledged >= ackEveryBytes || (unacknowledged > 0 && out.length > 0)) {
      this.#acknowledged = this.#received;
      out.push(encodeNumber(frameType.ack, 0, this.#received % 2 ** 32));
    }
    if (out.length > 0) this.#write(out);
  }

  #takeData(stream: FrameStream, out: Buffer[]): number {
    const bytes = Math.min(stream.sendable, maxDataBytes);
    out.push(encodeDataHead(stream.id, bytes));
    return stream.dequeue(bytes, out);
  }

  #takeEnd(stream: FrameStream, out: Buffer[]): void {
    out.push(encodeFrame(frameType.end, stream.id));
    stream.endSent();
  }

  #write(out: Buffer[]): void {
    const socket = this.#socket;
    let bytes = 0;
    for (const piece of out) bytes += piece.length;
    if (out.length === 1) socket.write(out[0]!);
    else if (bytes <= joinBytes + headBytes) socket.write(Buffer.concat(out, bytes));
    else {
      socket.cork();
      for (const piece of out) socket.write(piece);
      socket.uncork();
    }
    if (socket.writableLength > maxBacklogBytes) this.destroy({ fault: 'what is sent to it is not read' });
  }

  #parse(parser: FrameParser, chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      parser.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error.message);
    }
  }

  #onData(id: number, bytes: Buffer): void {
    if (this.#isOver) return;
    const stream = this.#streams.get(id);
    if (!stream) this.#checkOpened(id);
    if (id !== 0) {
      this.#received += bytes.length;
      this.#recent.add(bytes.length, this.#options.clock.now());
      if (this.#received - this.#acknowledged >= ackEveryBytes) this.#schedule();
    }
    stream?.receive(bytes);
  }

  #onFrame(type: number, id: number, payload: Buffer): void {
    if (this.#isOver) return;
    if (type === frameType.open) return this.#options.onOpen(id, payload);
    if (type === frameType.end || type === frameType.credit || type === frameType.cut) {
      const stream = this.#streams.get(id);
      if (!stream) return this.#checkOpened(id);
      if (type === frameType.end) return stream.receiveEnd();
      const value = payload.readUInt32BE(0);
      if (type === frameType.credit) return stream.receiveCredit(value);
      if (id === 0) throw new ProtocolError('CUT of the control stream');
      this.#streams.delete(id);
      return stream.cut(value);
    }
    if (id !== 0) throw new ProtocolError(`a frame of type ${type} on a stream`);
    if (type === frameType.goaway) return this.#onGoaway(payload);
    const value = payload.readUInt32BE(0);
    if (type === frameType.ping) this.post(encodeNumber(frameType.pong, 0, value));
    else if (type === frameType.pong) this.#onPong(value);
    else if (!this.#inFlight.acked(value, performance.now())) throw new ProtocolError('ACK of what was never sent');
    else this.#acked();
  }

  #acked(): void {
    if (this.#inFlight.takePing()) this.#ping();
    if (this.#ring.length > 0) this.#schedule();
  }

  #onPong(value: number): void {
    if (value !== this.#pings) return;
    const nowMs = performance.now();
    this.#inFlight.roundTrip(nowMs - this.#pingedMs, nowMs);
    this.#schedule();
    this.#answered?.();
    this.#answered = undefined;
  }

  #onGoaway(payload: Buffer): void {
    this.#said.goaway ??= payload.toString('latin1');
    this.destroy();
  }

  /** What still comes for a stream that is over is thrown away; for one that never was, it is a fault. */
  #checkOpened(id: number): void {
    if (id > this.#options.lastStream()) throw new ProtocolError(`a frame for stream ${id}, which was never opened`);
  }
}
