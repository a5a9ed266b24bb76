// The wire protocol `mcp-tunnel/2`: one connection of mutual TLS, one stream of bytes per visitor, one for control.
//
//   head, 8 bytes       type u8 · 0 · length of the payload u16 · stream u32 (big-endian all)
//   stream 0            the control conversation. It is open from the beginning and cannot be cut: its end ends the link.
//   stream 1, 2, 3 …    visitors, in the order the edge opened them; a number is never used again
//
//   0 DATA    1 … 16,376 bytes of a stream: with the head, one TLS record
//   1 OPEN    edge → connector. Stream 0: the edge is ready, sent first. Others: length u8 and hostname, then the
//             visitor's address
//   2 END     the sender has said all it has to say on this stream; the other direction goes on
//   3 CUT     code u32. The stream is over in both directions; 0: the sender needs no more of it, else something failed.
//             What still comes on it is thrown away
//   4 CREDIT  n u32: the reader has taken n more bytes of this stream, so as many more may be sent
//   5 ACK     stream 0, n u32: bytes of DATA that have arrived on this connection since it began (modulo 2³²)
//   6 PING    stream 0, u32   7 PONG   the same u32
//   8 GOAWAY  stream 0, ASCII: why the sender closes the connection, which it does at once
//
// Two limits hold back DATA. CREDIT is the reader's: no stream is sent more than `streamWindowBytes` that were not
// taken. ACK is the line's (`inFlight.ts`): what was sent and has not arrived stays near what the line holds, so
// that a small answer does not wait in the kernel behind a large one. A sender takes turns between its streams.
// Who breaks a rule is told by GOAWAY and cut off.
//
// Either side stops at these: OPEN past `maxStreamsPerLink` is answered with CUT; DATA past the credit, an unknown type,
// a wrong length, a frame that the other side may not send or for a stream that was never opened end the link.

export const frameType = {
  data: 0,
  open: 1,
  end: 2,
  cut: 3,
  credit: 4,
  ack: 5,
  ping: 6,
  pong: 7,
  goaway: 8,
} as const;

export const headBytes = 8;

/** What one DATA frame brings at most. */
export const maxDataBytes = 16_384 - headBytes;

/** What any other frame brings at most. */
export const maxOtherBytes = 512;

/** The last stream there can be; a link that has used it up is full. */
export const maxStreamId = 0xffff_ffff;

/** Why a stream ended, as CUT tells it; `linkLost` is never sent. */
export const cutCode = { done: 0, failed: 1, linkLost: 2, refused: 3, heldTooMuch: 4 } as const;

/** The peer broke the protocol; the sentence is for the log and for GOAWAY. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encodeFrame(type: number, stream: number, payload: Buffer = noBytes): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  writeHead(frame, type, payload.length, stream);
  payload.copy(frame, headBytes);
  return frame;
}

/** CUT, CREDIT, ACK, PING and PONG: a number is all they say. */
export function encodeNumber(type: number, stream: number, value: number): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + 4);
  writeHead(frame, type, 4, stream);
  frame.writeUInt32BE(value, headBytes);
  return frame;
}

/** The head alone: the payload of DATA is never copied. */
export function encodeDataHead(stream: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes);
  writeHead(head, frameType.data, length, stream);
  return head;
}

export function encodeOpen(stream: number, hostname: string, visitor: string): Buffer {
  const name = Buffer.from(hostname, 'latin1').subarray(0, 255);
  const address = Buffer.from(visitor, 'latin1').subarray(0, 64);
  return encodeFrame(frameType.open, stream, Buffer.concat([Uint8Array.of(name.length), name, address]));
}

/** Throws `ProtocolError`. */
export function decodeOpen(payload: Buffer): { hostname: string; visitor: string } {
  const nameEnd = 1 + (payload[0] ?? Infinity);
  if (!(nameEnd <= payload.length)) throw new ProtocolError('an OPEN that is too short');
  return { hostname: payload.toString('latin1', 1, nameEnd), visitor: payload.toString('latin1', nameEnd) };
}

export function encodeGoaway(reason: string): Buffer {
  return encodeFrame(frameType.goaway, 0, Buffer.from(reason, 'latin1').subarray(0, maxOtherBytes));
}

const noBytes = Buffer.alloc(0);

function writeHead(into: Buffer, type: number, length: number, stream: number): void {
  into[0] = type;
  into[1] = 0;
  into[2] = length >> 8;
  into[3] = length & 0xff;
  into.writeUInt32BE(stream, 4);
}
