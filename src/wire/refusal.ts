// How an edge tells a connector why it is not let in. With TLS 1.3 the connector's side of the handshake is over
// before the edge has looked at its certificate, so a bare hang-up would leave a person guessing. The edge writes
// fixed bytes (HTTP/2 preface, SETTINGS, GOAWAY with a reason, RFC 9113 §3.4, §6.8; or one GOAWAY of `frames/`) and
// reads nothing of the stranger.
import { TunnelError } from '../core/errors.ts';
import type { Framing } from '../protocol/edge.ts';
import { encodeGoaway } from './frames/frame.ts';

export const refusals = {
  'no-certificate': 'the edge asks for a certificate and this machine sent none: enrol it',
  foreign: 'the edge does not know the issuer of this machine’s certificate: enrol it at this edge',
  expired:
    'by the edge’s clock this machine’s certificate has expired, and by this machine’s clock it has not: see which of the two is wrong, or enrol this machine again',
  'not-yet-valid':
    'by the edge’s clock this machine’s certificate is not valid yet, and by this machine’s clock it is: the edge’s clock is behind, or this one was ahead when the certificate was made',
  revoked: 'the edge has revoked this machine’s certificate: ask whoever runs the edge, then enrol again',
  'too-many': 'this machine holds too many links to the edge: close some tunnels',
} as const;

export type Refusal = keyof typeof refusals;

/** INADEQUATE_SECURITY (RFC 9113 §7). */
const refusedCode = 0xc;

export function refusalBytes(refusal: Refusal, framing: Framing): Buffer {
  if (framing === 'frames') return encodeGoaway(refusal);
  const reason = Buffer.from(refusal);
  const goaway = Buffer.alloc(8); // Last stream 0: nothing was processed.
  goaway.writeUInt32BE(refusedCode, 4);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(0x4, Buffer.alloc(0)),
    frame(0x7, Buffer.concat([goaway, reason])),
  ]);
}

/** What a GOAWAY says, as the error to show; `undefined` when it is none of ours. */
export function refusalError(code: number, opaque: Uint8Array | undefined): TunnelError | undefined {
  return code === refusedCode && opaque ? refusalNamed(Buffer.from(opaque).toString('latin1')) : undefined;
}

/** The error to show for a refusal; `undefined` when there is none of that name. */
export function refusalNamed(refusal: string): TunnelError | undefined {
  if (!Object.hasOwn(refusals, refusal)) return undefined;
  const errorCode = refusal === 'too-many' ? 'LIMIT' : 'CERTIFICATE_INVALID';
  // Clocks are set right without anybody telling us.
  const retryable = refusal === 'expired' || refusal === 'not-yet-valid';
  return new TunnelError(errorCode, refusals[refusal as Refusal], { retryable });
}

function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  return Buffer.concat([head, payload]);
}
