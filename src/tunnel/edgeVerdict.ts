// What a failure at an edge means for a tunnel that was up: whether waiting can help.
import { TunnelError, type ErrorCode } from '../core/errors.ts';

/** Losing these is no verdict: what stood in the way may go away by itself, so a tunnel that was up waits for that. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'EDGE_UNREACHABLE',
  'EDGE_IDENTITY',
  'CLOSED',
  'TIMEOUT',
  'LIMIT',
  'INTERNAL',
]);

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['USAGE', 'LIMIT', 'ROUTE_DENIED', 'ROUTE_BUSY']);

export const mayPass = ({ code }: TunnelError): boolean => passing.has(code);

/** Another process took the name over; two would push each other off for ever. */
export const isOvertaken = (error: unknown): error is TunnelError =>
  error instanceof TunnelError && error.code === 'ROUTE_BUSY' && !error.retryable;

/** The edge's own word, not the end of a link. */
export const isRefusal = (error: unknown): boolean => error instanceof TunnelError && refusals.has(error.code);
