// Every bound of a stdio upstream, and what happens at it.

export type StdioLimits = {
  /** MCP sessions, each with a process, at the same time. The longest idle one is ended for a new one; else 503. */
  maxSessions: number;
  /** Of one principal; its own longest idle one is ended for a new one, else 503. Nobody crowds out another. */
  maxSessionsPerPrincipal: number;
  /** A session without open stream and running call is ended after this. The agent gets 404 and initialises again. */
  idleMs: number;
  /** From the start of the command to its answer to `initialize`. */
  startTimeoutMs: number;
  /** How often in a row a server that died is started again; then its sessions are 404. */
  maxRestarts: number;
  /** Starts in a row that do not count as such, because somebody else killed the server before it had answered anything. */
  maxKills: number;
  /** A call waits this long for a server that is being started again; then it is not sent, and its agent may try again. */
  awayMs: number;
  /** A server that lived this long, or answered a call, begins its count of restarts anew. */
  stableMs: number;
  /** The wait before a second restart in a row, growing to `restartMaxMs`, drawn by chance below that. */
  restartBaseMs: number;
  restartMaxMs: number;
  /** Longest line a server may write. A longer one is dropped, and the calls that may have waited for it fail. */
  maxLineBytes: number;
  /** Calls of one session without an answer; one more gets 429. */
  maxPendingRequests: number;
  /** Bytes a server has not read from its stdin; while there are more, calls get 503. */
  maxUnreadInputBytes: number;
  /** An answer that comes within this and alone is sent as JSON; else a stream is opened, so that nobody idles. */
  jsonAnswerMs: number;
  /** Events kept per session for `Last-Event-ID`; the oldest are forgotten. */
  maxReplayEvents: number;
  maxReplayBytes: number;
  /** Bytes waiting for a slow agent before the server's stdout is left unread. */
  streamQueueBytes: number;
  /** Bytes that wait for a slow agent of a shared server, which waits for nobody; of more, its stream is ended. */
  sharedQueueBytes: number;
  /** An agent that reads nothing for this long while bytes wait has its stream ended. */
  stallMs: number;
  /** Lines on stdout that are no messages before the first message; more, and it is no MCP server. */
  maxNoiseLines: number;
  /** Last lines of stderr that an error carries. */
  stderrTailLines: number;
  /** Characters of a line of stderr or noise that are shown. */
  maxShownChars: number;
};

export const stdioLimits: StdioLimits = {
  maxSessions: 32,
  maxSessionsPerPrincipal: 24,
  idleMs: 15 * 60_000,
  startTimeoutMs: 30_000,
  maxRestarts: 5,
  maxKills: 20,
  awayMs: 20_000,
  stableMs: 30_000,
  restartBaseMs: 500,
  restartMaxMs: 15_000,
  maxLineBytes: 65 * 1024 * 1024,
  maxPendingRequests: 256,
  maxUnreadInputBytes: 16 * 1024 * 1024,
  jsonAnswerMs: 1_000,
  maxReplayEvents: 1_000,
  maxReplayBytes: 4 * 1024 * 1024,
  streamQueueBytes: 1024 * 1024,
  sharedQueueBytes: 4 * 1024 * 1024,
  stallMs: 30_000,
  maxNoiseLines: 1_000,
  stderrTailLines: 20,
  maxShownChars: 4_096,
};
