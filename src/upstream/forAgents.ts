// What an agent is told when a call fails behind the gateway: one fixed sentence for each kind of failure. Messages of
// errors hold paths, addresses and last words of programs of this machine: they are for its owner alone.
import type { ErrorCode } from '../core/errors.ts';

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  UPSTREAM_START: 'the MCP server behind this tunnel could not be started; its owner can see why',
  UPSTREAM_EXITED: 'the MCP server behind this tunnel has ended; try again',
  UPSTREAM_UNREACHABLE: 'the MCP server behind this tunnel does not answer; try again later',
  UPSTREAM_PROTOCOL: 'the MCP server behind this tunnel answered something that is not MCP',
  TIMEOUT: 'the MCP server behind this tunnel did not answer in time; try again later',
  LIMIT: 'a limit of this tunnel was reached; its owner can see which',
};

export function sentenceForAgents(code: ErrorCode): string {
  return SENTENCES[code] ?? 'the tunnel failed; the log on the developer’s machine says why';
}
