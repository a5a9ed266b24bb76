// What an edge answers to a claim, as an error of ours. The edge may be anybody's: its words are shown, never obeyed,
// and it has no say beyond names and certificates.
import { TunnelError, type ErrorCode } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { printable } from '../core/printable.ts';

const known: ReadonlySet<unknown> = new Set<ErrorCode>([
  'ROUTE_BUSY',
  'ROUTE_DENIED',
  'CERTIFICATE_INVALID',
  'LIMIT',
  'USAGE',
  'CLOSED',
]);

/** `error` should be an `ErrorInfo`, or one made into a `TunnelError`. */
export function edgeRefusal(error: unknown, what = 'give the tunnel its name'): TunnelError {
  const { code, message, retryable } =
    error instanceof Error || isJsonObject(error) ? (error as Partial<TunnelError>) : {};
  const text = typeof message === 'string' ? printable(message) : 'it did not say why';
  if (known.has(code)) return new TunnelError(code as ErrorCode, text, { retryable: retryable === true });
  return new TunnelError('EDGE_UNREACHABLE', `the edge could not ${what}: ${text}`);
}
