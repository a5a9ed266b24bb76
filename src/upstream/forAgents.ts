// What an agent is told when a call fails behind the gateway: one fixed sentence for each kind of failure.
import type { ErrorCode } from '../core/errors.ts';
import { failureOf } from '../mcp/failures.ts';

export function sentenceForAgents(code: ErrorCode): string {
  return failureOf({ code }).sentence;
}
