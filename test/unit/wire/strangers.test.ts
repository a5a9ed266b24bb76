// Each end of a framed link against somebody at the other end who keeps to no rule: told why, cut off, and never given
// more memory than there are numbers for.
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  cutCode,
  encodeDataHead,
  encodeFrame,
  encodeNumber,
  encodeOpen,
  frameType,
  maxDataBytes,
} from '../../../src/wire/frames/frame.ts';
import { FrameParser } from '../../../src/wire/frames/frameParser.ts';
import { minInFlightBytes } from '../../../src/wire/frames/inFlight.ts';
import { openConnectorLink, openEdgeLink } from '../../../src/wire/framings.ts';
import type { ConnectorLink, EdgeLink } from '../../../src/wire/link.ts';
import { maxStreamsPerLink, maxUnreadBytesPerLink, streamWindowBytes } from '../../../src/wire/windows.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { tlsPair } from '../../support/linkPair.ts';
import { until } from '../../support/until.ts';

type Heard = { goaway: string[]; cuts: { stream: number; code: number }[]; pongs: number };

/** The frames that come at a bare socket. */
function listen(socket: TLSSocket): Heard {
  const heard: Heard = { goaway: [], cuts: [], pongs: 0 };
  const parser = new FrameParser({
    onData: () => {},
    onFrame: (type, stream, payload) => {
      if (type === frameType.goaway) heard.goaway.push(payload.toString('latin1'));
      if (type === frameType.cut) heard.cuts.push({ stream, code: payload.readUInt32BE(0) });
      if (type === frameType.pong) heard.pongs += 1;
    },
  });
  socket.on('data', (chunk: Buffer) => parser.push(chunk));
  return heard;
}

const controlOpen = encodeFrame(frameType.open, 0);
const data = (stream: number, bytes: number): Buffer =>
  Buffer.concat([encodeDataHead(stream, bytes), Buffer.alloc(bytes)]);

type AtConnector = { connector: ConnectorLink; edge: TLSSocket; heard: Heard; taken: Duplex[]; clock: FakeClock };

async function aConnector(): Promise<AtConnector> {
  const { near, far } = await tlsPair('frames');
  const [clock, taken]: [FakeClock, Duplex[]] = [new FakeClock(), []];
  const connector = openConnectorLink(near, { clock, onStream: (stream) => void taken.push(stream) });
  return { connector, edge: far, heard: listen(far), taken, clock };
}

describe('a connector', () => {
  it.each<[string, Buffer[], string]>([
    ['a type that there is none of', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], 'unknown type'],
    ['a visitor before the control stream', [encodeOpen(1, 'a', 'b')], 'before the control stream'],
    ['the control stream twice', [controlOpen, controlOpen], 'twice'],
    ['a stream out of order', [controlOpen, encodeOpen(2, 'a', 'b')], 'OPEN of stream 2 after 0'],
    ['a stream again', [controlOpen, encodeOpen(1, 'a', 'b'), encodeOpen(1, 'a', 'b')], 'OPEN of stream 1 after 1'],
    ['a stream without a name', [controlOpen, encodeFrame(frameType.open, 1, Buffer.of(9, 65))], 'too short'],
    ['data for a stream that never was', [controlOpen, data(1, 10)], 'never opened'],
    [
      'data after its end',
      [controlOpen, encodeOpen(1, 'a', 'b'), encodeFrame(frameType.end, 1), data(1, 1)],
      'after END',
    ],
    [
      'two ends',
      [controlOpen, encodeOpen(1, 'a', 'b'), encodeFrame(frameType.end, 1), encodeFrame(frameType.end, 1)],
      'END twice',
    ],
    ['credit for nothing', [controlOpen, encodeOpen(1, 'a', 'b'), encodeNumber(frameType.credit, 1, 1)], 'CREDIT'],
    ['credit without bound', [controlOpen, encodeNumber(frameType.credit, 0, 0xffff_ffff)], 'CREDIT'],
    ['an acknowledgement of what was never sent', [controlOpen, encodeNumber(frameType.ack, 0, 5)], 'ACK'],
    ['a cut of the control stream', [controlOpen, encodeNumber(frameType.cut, 0, 0)], 'CUT of the control'],
    ['a ping on a stream', [controlOpen, encodeOpen(1, 'a', 'b'), encodeNumber(frameType.ping, 1, 0)], 'on a stream'],
  ])('tells an edge why it is cut off that sends %s', async (_name, frames, why) => {
    const { connector, edge, heard } = await aConnector();
    edge.write(Buffer.concat(frames));
    await until(() => heard.goaway.length === 1);
    expect(heard.goaway[0]).toContain(why);
    const reason = new Promise<string>((resolve) => connector.onClose(({ message }) => resolve(message)));
    expect(await reason).toContain(heard.goaway[0]);
  });

  it('cuts an edge off that sends more than its credit, and holds no more than that', async () => {
    const { connector, edge, heard, taken } = await aConnector();
    edge.write(Buffer.concat([controlOpen, encodeOpen(1, 'a', 'b')]));
    for (let sent = 0; sent <= streamWindowBytes; sent += maxDataBytes) edge.write(data(1, maxDataBytes));
    await until(() => heard.goaway.length === 1);
    expect(heard.goaway[0]).toBe('DATA past the credit');
    expect(taken[0]?.readableLength).toBeLessThanOrEqual(streamWindowBytes);
    await connector.close();
  });

  it('waits no longer than a moment for who was cut off to read why', async () => {
    const { connector, edge, clock } = await aConnector();
    edge.removeAllListeners('data').pause();
    const ended = new Promise<void>((resolve) => connector.onClose(() => resolve()));
    edge.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await until(() => clock.pending > 1);
    clock.advance(2000);
    await ended;
    expect(clock.pending).toBe(0);
  });

  it('refuses visitors past its number, and serves those it has', async () => {
    const { edge, heard, taken } = await aConnector();
    const opens = Array.from({ length: maxStreamsPerLink + 3 }, (_, index) => encodeOpen(index + 1, 'a', 'b'));
    edge.write(Buffer.concat([controlOpen, ...opens]));
    await until(() => heard.cuts.length === 3);
    expect(taken.length).toBe(maxStreamsPerLink);
    expect(heard.cuts).toEqual([1, 2, 3].map((past) => ({ stream: maxStreamsPerLink + past, code: cutCode.refused })));
    edge.write(Buffer.concat([data(1, 5), encodeFrame(frameType.end, 1), data(maxStreamsPerLink + 1, 5)]));
    await until(() => taken[0]!.readableLength === 5);
  });

  it('holds for all streams together no more than its number, and cuts off the one with most', async () => {
    const { edge, heard, taken } = await aConnector();
    const count = Math.floor(maxUnreadBytesPerLink / streamWindowBytes) + 3;
    const frames = Math.floor(streamWindowBytes / maxDataBytes);
    edge.write(controlOpen);
    for (let stream = 1; stream <= count; stream += 1) {
      edge.write(encodeOpen(stream, 'a', 'b'));
      for (let frame = 0; frame < frames; frame += 1) edge.write(data(stream, maxDataBytes));
    }
    await once(edge, 'drain');
    await until(() => heard.cuts.length > 0 && taken.length === count);
    await until(() => taken.at(-1)!.readableLength >= frames * maxDataBytes);
    const kept = taken.filter(({ destroyed }) => !destroyed);
    const held = (): number => kept.reduce((sum, { readableLength }) => sum + readableLength, 0);
    expect(held()).toBeLessThanOrEqual(maxUnreadBytesPerLink);
    expect(new Set(heard.cuts.map(({ code }) => code))).toEqual(new Set([cutCode.heldTooMuch]));
    expect(heard.cuts.length).toBeLessThanOrEqual(4);
  });

  it('cuts an edge off that asks without reading the answers', async () => {
    const unread = new Duplex({ read() {}, write() {} }); // What is written to it stays.
    const socket = Object.assign(unread, { setNoDelay: () => unread, alpnProtocol: 'mcp-tunnel/2' });
    const connector = openConnectorLink(socket as unknown as TLSSocket, { clock: new FakeClock(), onStream: () => {} });
    unread.push(controlOpen);
    const pings = Buffer.concat(Array.from({ length: 5000 }, (_, value) => encodeNumber(frameType.ping, 0, value)));
    while (!unread.destroyed) {
      unread.push(pings);
      await turn();
      expect(unread.writableLength).toBeLessThan(5 << 20);
    }
    const ended = new Promise<string>((resolve) => connector.onClose(({ message }) => resolve(message)));
    expect(await ended).toContain('not read');
  });
});

describe('an edge', () => {
  async function anEdge(): Promise<{ edge: EdgeLink; connector: TLSSocket; heard: Heard }> {
    const { near, far } = await tlsPair('frames');
    const edge = openEdgeLink(far, { clock: new FakeClock() });
    return { edge, connector: near, heard: listen(near) };
  }

  it('takes no streams from a connector', async () => {
    const { edge, connector, heard } = await anEdge();
    connector.write(encodeOpen(1, 'a', 'b'));
    await until(() => heard.goaway.length === 1 && edge.closed);
    expect(heard.goaway).toEqual(['OPEN from the connector']);
  });

  it('throws away what still comes for a stream that is over, and acknowledges it', async () => {
    const { edge, connector, heard } = await anEdge();
    const stream = edge.openStream({ hostname: 'a', visitor: 'b' });
    stream.destroy();
    await until(() => heard.cuts.length === 1);
    connector.write(
      Buffer.concat([data(1, 1000), encodeNumber(frameType.credit, 1, 5), encodeFrame(frameType.end, 1)]),
    );
    connector.write(encodeNumber(frameType.ping, 0, 1));
    await until(() => heard.pongs === 1);
    expect(edge.closed).toBe(false);
    expect(edge.streams).toBe(0);
  });

  it('takes turns between its streams, a frame each', async () => {
    const { edge, connector } = await anEdge();
    const order: number[] = [];
    const parser = new FrameParser({
      onData: (stream) => void (order.at(-1) === stream || order.push(stream)),
      onFrame: () => {},
    });
    connector.on('data', (chunk: Buffer) => parser.push(chunk));
    for (const hostname of ['a', 'b']) edge.openStream({ hostname, visitor: '' }).write(Buffer.alloc(2 * maxDataBytes));
    await until(() => order.length === 4);
    expect(order).toEqual([1, 2, 1, 2]);
  });

  it('ends with the connector’s end, also on a socket that could live on half open', async () => {
    const { near, far } = await tlsPair('frames');
    far.allowHalfOpen = true;
    const edge = openEdgeLink(far, { clock: new FakeClock() });
    const ended = new Promise<void>((resolve) => edge.onClose(resolve));
    near.on('data', () => {}).end();
    await ended;
  });

  it('sends no more than a line may hold to a connector that acknowledges nothing, and keeps the rest in its streams', async () => {
    const { edge, connector } = await anEdge();
    let received = 0;
    let pongs = 0;
    const parser = new FrameParser({
      onData: (_stream, bytes) => (received += bytes.length),
      onFrame: (type) => (pongs += type === frameType.pong ? 1 : 0),
    });
    connector.on('data', (chunk: Buffer) => parser.push(chunk));
    const stream = edge.openStream({ hostname: 'a', visitor: 'b' });
    stream.write(Buffer.alloc(1 << 20));
    await until(() => received >= minInFlightBytes);
    for (let value = 1; value <= 5; value += 1) {
      connector.write(encodeNumber(frameType.ping, 0, value));
      await until(() => pongs === value); // What is held back by nothing still comes.
    }
    expect(received).toBeLessThan(minInFlightBytes + maxDataBytes);
  });

  it('never sends more than a connector gave it credit for', async () => {
    const { edge, connector } = await anEdge();
    let received = 0;
    const parser = new FrameParser({ onData: (_stream, bytes) => (received += bytes.length), onFrame: () => {} });
    connector.on('data', (chunk: Buffer) => {
      parser.push(chunk);
      connector.write(encodeNumber(frameType.ack, 0, received)); // It takes everything, and nobody reads it.
    });
    const stream = edge.openStream({ hostname: 'a', visitor: 'b' });
    const block = Buffer.alloc(64 * 1024);
    const fill = (): void => {
      while (stream.write(block));
    };
    stream.on('drain', fill);
    fill();
    await until(() => received === streamWindowBytes);
    connector.write(encodeNumber(frameType.credit, 1, 100_000));
    await until(() => received === streamWindowBytes + 100_000);
  });
});
