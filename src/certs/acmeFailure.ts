// Why a certificate authority issued nothing, as far as it decides when it is asked again. It becomes the warning that a
// person reads at the tunnel; nobody else hears of it.
import { printable } from '../core/printable.ts';

/**
 * `unreachable`: it was never asked, or could not answer. `refused`: it was asked and said no, which counts against the
 * limits that such authorities have. `person`: somebody here has to do something first; nothing was asked.
 * `busy`: another process of this machine is at it.
 */
export type AcmeFailureKind = 'unreachable' | 'refused' | 'person' | 'busy';

export class AcmeFailure extends Error {
  readonly kind: AcmeFailureKind;
  /** How long the authority wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: AcmeFailureKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AcmeFailure';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A longer wait than that is no answer to a client that renews (RFC 8555 §6.6 leaves the number open). */
export const maxRetryAfterMs = 7 * 86_400_000;

/** A refusal in the words of the authority (RFC 7807), which are a stranger's. */
export function refusal(
  host: string,
  answer: { status: number; body: unknown; retryAfter: string | undefined; nowMs: number },
): AcmeFailure {
  const { type, detail } = problemOf(answer.body);
  const said = [type?.split(':').at(-1), detail].filter(Boolean).join(': ');
  const message = `${host} answered ${answer.status}${said === '' ? '' : ` (${printable(said)})`}`;
  const retryAfterMs = parseRetryAfter(answer.retryAfter, answer.nowMs);
  const kind = answer.status >= 500 ? 'unreachable' : 'refused';
  return new AcmeFailure(kind, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** What a failed challenge or order says of itself. */
export function problemText(problem: unknown): string {
  const { type, detail } = problemOf(problem);
  return printable(detail ?? type ?? 'it does not say why');
}

/** Seconds or a date (RFC 9110 §10.2.3); `undefined` for anything else. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\s*\d{1,10}\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, maxRetryAfterMs) : undefined;
}

function problemOf(body: unknown): { type?: string; detail?: string } {
  if (typeof body !== 'object' || body === null) return {};
  const { type, detail } = body as { type?: unknown; detail?: unknown };
  return {
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
  };
}
