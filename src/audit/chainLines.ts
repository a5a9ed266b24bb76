// The lines of a chain in their order, segment after segment, read in pieces: nothing that a file holds makes it fail,
// and no line is kept that is too long to be a record.
import { createReadStream } from 'node:fs';
import { lineHash } from './link.ts';
import { parseRecord, type ParsedRecord } from './record.ts';
import { segmentName } from './segments.ts';

/** A longer line is none of ours. */
export const maxLineBytes = 1_048_576;

export type Line = {
  file: string;
  segment: number;
  /** Within its file, from 1. */
  number: number;
  bytes: Buffer;
  hash: string;
  record: ParsedRecord | undefined;
  /** Whether an LF follows. */
  complete: boolean;
  /** The place behind it. */
  end: Place;
};

/** How far a chain was read: bytes and lines of a segment. */
export type Place = { segment: number; offset: number; lines: number };

/** From the beginning, or from a place behind a whole line. */
export async function* linesOf(
  folder: string,
  segments: readonly number[],
  from: Place = { segment: 0, offset: 0, lines: 0 },
): AsyncGenerator<Line, void> {
  for (const segment of segments) {
    if (segment < from.segment) continue;
    const start = segment === from.segment ? from : { segment, offset: 0, lines: 0 };
    yield* segmentLines(`${folder}/${segmentName(segment)}`, start);
  }
}

async function* segmentLines(file: string, { segment, offset, lines }: Place): AsyncGenerator<Line, void> {
  let number = lines;
  let read = offset;
  let rest: Buffer = Buffer.alloc(0);
  const line = (bytes: Buffer, complete: boolean): Line => {
    number += 1;
    read += bytes.length + (complete ? 1 : 0);
    const record = complete ? parseRecord(bytes) : undefined;
    return {
      file,
      segment,
      number,
      bytes,
      hash: lineHash(bytes),
      record,
      complete,
      end: { segment, offset: read, lines: number },
    };
  };
  for await (const chunk of createReadStream(file, { start: offset, highWaterMark: 262_144 })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let from = 0;
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a, from)) {
      yield line(rest.subarray(from, at), true);
      from = at + 1;
    }
    rest = rest.subarray(from);
    if (rest.length > maxLineBytes) break;
  }
  if (rest.length > maxLineBytes) yield { ...line(Buffer.alloc(0), true), hash: '' };
  else if (rest.length > 0) yield line(rest, false);
}
