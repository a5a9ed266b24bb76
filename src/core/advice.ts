// What a person can do about a failure: one sentence for each code, the same in the command and in VS Code.
// The error's own message says what happened; this says what helps, so the two are shown one after the other.
import type { ErrorCode } from './errors.ts';

export const advice: Record<ErrorCode, string> = {
  USAGE: 'Check the spelling against the help of this command.',
  CONFIG_INVALID: 'Correct the file at the place that is named and try again.',
  POLICY_INVALID: 'Correct the policy file at the place that is named; until then, what it governs is denied.',
  DESTINATION_DENIED: 'Allow the destination with “mcp-tunnel allow add”, or ask whoever manages the policy file.',
  UPSTREAM_DENIED: 'Add the server to “upstreams” in the policy file that is named, or ask whoever manages it.',
  CONSENT_REQUIRED: 'Read what will run and agree to it; a changed command is asked about again.',
  UNTRUSTED_WORKSPACE: 'Trust this workspace first: nothing it defines is run before that.',
  EDGE_UNREACHABLE: 'Check the edge’s name and port, and that this network lets you reach it.',
  EDGE_IDENTITY: 'Compare the pin or CA file with the one the edge printed; do not go on if they differ.',
  ENROLMENT_REFUSED: 'Ask for a new token (“mcp-tunnel edge token” on the edge) and enrol again; a token works once.',
  NOT_ENROLLED: 'Enrol this machine first with “mcp-tunnel enroll”.',
  CERTIFICATE_INVALID: 'Check this machine’s clock, then enrol again with “mcp-tunnel enroll”.',
  ROUTE_BUSY: 'Choose another name, or stop the tunnel that holds this one.',
  ROUTE_DENIED: 'Choose another name: this one belongs to somebody else on that edge.',
  UPSTREAM_START: 'Run the server’s command by itself and read what it prints.',
  UPSTREAM_EXITED: 'Read the server’s last lines and start it again.',
  UPSTREAM_UNREACHABLE: 'Start the server and check its URL and port.',
  UPSTREAM_PROTOCOL: 'Check that this is an MCP server; over stdio only messages may go to standard output.',
  PORT_IN_USE: 'Choose another port, or stop the program that uses this one.',
  STATE_UNWRITABLE: 'Make the folder writable for you, or set MCP_TUNNEL_HOME to one that is.',
  AUDIT_BROKEN:
    'Keep a copy of the log as it is and find out who could write to it; what stands behind that place proves nothing.',
  NOT_FOUND: 'List what there is and check the name.',
  CONFLICT: 'Look at the newest state and try again.',
  LIMIT: 'Close something that is no longer needed, or raise the limit that is named.',
  TIMEOUT: 'Try again; if it stays slow, look at the log.',
  CANCELLED: 'Start it again when you are ready.',
  CLOSED: 'Try again: the other process is gone.',
  INTERNAL: 'This is a fault of MCP Tunnel: run it again with MCP_TUNNEL_DEBUG=1 and report what it prints.',
};
