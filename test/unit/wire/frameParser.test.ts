import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeOpen,
  encodeDataHead,
  encodeFrame,
  encodeGoaway,
  encodeNumber,
  encodeOpen,
  frameType,
  maxDataBytes,
  maxOtherBytes,
  ProtocolError,
} from '../../../src/wire/frames/frame.ts';
import { FrameParser } from '../../../src/wire/frames/frameParser.ts';

type Seen = { type: number; stream: number; payload: string };

/** Pieces of one DATA frame, and DATA frames of one stream in a row, are one entry: where they were cut is nobody's business. */
function reader(): { seen: Seen[]; parser: FrameParser } {
  const seen: Seen[] = [];
  const parser = new FrameParser({
    onData(stream, bytes) {
      expect(bytes.length).toBeGreaterThan(0);
      const last = seen.at(-1);
      if (last?.type === frameType.data && last.stream === stream) last.payload += bytes.toString('hex');
      else seen.push({ type: frameType.data, stream, payload: bytes.toString('hex') });
    },
    onFrame: (type, stream, payload) => void seen.push({ type, stream, payload: payload.toString('hex') }),
  });
  return { seen, parser };
}

const stream = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = (least: number, most: number) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((value) => Buffer.from(value));
const numbered = fc.constantFrom(frameType.cut, frameType.credit, frameType.ack, frameType.ping, frameType.pong);
const frame = fc.oneof(
  fc.tuple(stream, bytes(1, 300)).map(([id, data]) => Buffer.concat([encodeDataHead(id, data.length), data])),
  fc.tuple(numbered, stream, stream).map(([type, id, value]) => encodeNumber(type, id, value)),
  fc.tuple(stream, bytes(0, maxOtherBytes)).map(([id, payload]) => encodeFrame(frameType.open, id, payload)),
  stream.map((id) => encodeFrame(frameType.end, id)),
  fc.string({ maxLength: 80 }).map((reason) => encodeGoaway(reason)),
);

function pieces(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length])].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => whole.subarray(at[index], end));
}

describe('frames', () => {
  it('are the same whatever pieces they come in', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
        const whole = Buffer.concat(frames);
        const [once, cut, single] = [reader(), reader(), reader()];
        once.parser.push(whole);
        for (const piece of pieces(whole, cuts)) cut.parser.push(piece);
        for (const byte of whole) single.parser.push(Buffer.of(byte));
        expect(cut.seen).toEqual(once.seen);
        expect(single.seen).toEqual(once.seen);
      }),
    );
  });

  it('that are no frames are a protocol error and nothing else, wherever they are cut', () => {
    fc.assert(
      fc.property(bytes(0, 400), fc.array(fc.nat(), { maxLength: 8 }), (whole, cuts) => {
        const verdict = (chunks: Buffer[]): { seen: Seen[]; failed: boolean } => {
          const { seen, parser } = reader();
          try {
            for (const chunk of chunks) parser.push(chunk);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            return { seen, failed: true };
          }
          return { seen, failed: false };
        };
        expect(verdict(pieces(whole, cuts))).toEqual(verdict([whole]));
      }),
    );
  });

  it.each<[string, Buffer]>([
    ['of an unknown type', encodeFrame(9, 0)],
    ['with a byte set that must be zero', Buffer.of(2, 1, 0, 0, 0, 0, 0, 1)],
    ['of DATA without data', encodeDataHead(1, 0)],
    ['of DATA that is too long', encodeDataHead(1, maxDataBytes + 1)],
    ['of OPEN that is too long', encodeFrame(frameType.open, 1, Buffer.alloc(maxOtherBytes + 1))],
    ['of END with a payload', encodeFrame(frameType.end, 1, Buffer.of(0))],
    ['of CREDIT with two bytes', encodeFrame(frameType.credit, 1, Buffer.of(0, 1))],
  ])('%s are refused as soon as the head is there', (_name, whole) => {
    expect(() => reader().parser.push(whole.subarray(0, 8))).toThrow(ProtocolError);
  });
});

describe('OPEN', () => {
  it('carries a name and an address', () => {
    const whole = encodeOpen(7, 'a.edge.test', '192.0.2.1:5555');
    expect(decodeOpen(whole.subarray(8))).toEqual({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
  });

  it('of any bytes is read or refused', () => {
    fc.assert(
      fc.property(bytes(0, maxOtherBytes), (payload) => {
        try {
          const { hostname, visitor } = decodeOpen(payload);
          expect(1 + hostname.length + visitor.length).toBe(payload.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});
