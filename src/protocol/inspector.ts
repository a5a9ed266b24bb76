// What an inspector asks of a helper, and the shape of what it shows. Pull with a cursor: every change of a row
// gets the next number (`seq`); a viewer reads "all after N" and is only told *that* there is something.
import type { JsonValue } from '../core/json.ts';
import type { Era } from '../mcp/message.ts';

export type Direction = 'agent-to-server' | 'server-to-agent';

export type ExchangeStatus =
  | 'pending'
  | 'ok'
  | 'error' // a JSON-RPC error, or an HTTP status of 400 and above from the upstream
  | 'tool-error' // a result with isError: true
  | 'denied' // by authentication, policy or grant: the upstream never heard of it
  | 'failed' // the upstream could not be reached or ended
  | 'cancelled'; // the agent left or cancelled

/** One line of the list: small, and always safe to show (no parameters, no secrets). */
export type ExchangeRow = {
  /** Number of this row's newest change; rises with every change of any row of the log. */
  seq: number;
  /** Stable id of the exchange. */
  id: string;
  tunnel: string;
  direction: Direction;
  kind: 'request' | 'notification' | 'response' | 'stream' | 'http';
  /** Milliseconds since the epoch. */
  startedMs: number;
  /** Name the agent gave itself in `clientInfo`, or of its grant. Written by strangers. */
  agent: string;
  /** First eight characters of the MCP session id, for telling sessions apart; never the whole. */
  session?: string;
  era?: Era;
  method: string;
  /** Tool or prompt name, or resource URI. */
  name?: string;
  status: ExchangeStatus;
  httpStatus?: number;
  rpcCode?: number;
  /** One sentence when it was denied or failed. */
  reason?: string;
  /** From the first byte of the request to the last byte of the answer. */
  latencyMs?: number;
  requestBytes: number;
  responseBytes: number;
  /** Progress and other notifications that arrived with it. */
  messages: number;
  flags: ExchangeFlag[];
};

export type ExchangeFlag = 'filtered' | 'redacted' | 'truncated' | 'late';

/** Header names and values as they arrived, secrets replaced by `[redacted]`. */
export type HeaderList = [name: string, value: string][];

export type CapturedMessage = {
  atMs: number;
  direction: Direction;
  /** Event id, where it came as a server-sent event that had one. */
  eventId?: string;
  /** The message as text, secrets replaced; cut at the capture limit. */
  text: string;
  /** Bytes before the cut. */
  bytes: number;
};

export type Timings = {
  /** Offsets in milliseconds from `startedMs`, in the order they happen; absent when not reached. */
  bodyReadMs?: number;
  decidedMs?: number;
  auditedMs?: number;
  upstreamFirstByteMs?: number;
  finishedMs?: number;
};

export type ExchangeDetail = {
  row: ExchangeRow;
  httpMethod: string;
  path: string;
  visitor?: string;
  principal?: { kind: string; name: string; grant?: string };
  /** The rule that decided, as the policy names it. */
  rule?: string;
  requestHeaders: HeaderList;
  responseHeaders: HeaderList;
  request?: CapturedMessage;
  /** Everything that came back, in order: progress, server requests, the answer. */
  messages: CapturedMessage[];
  timings: Timings;
};

export type TrafficPage = {
  rows: ExchangeRow[];
  /** Ask with `after: next` for what comes later. */
  next: number;
  /** True when there is more than `max` right now. */
  more: boolean;
  /** Exchanges pushed out of the log since it began. */
  dropped: number;
  /** Rises when the log was cleared: throw away what you hold. */
  epoch: number;
};

export type InspectorRequests = {
  'traffic/read': { params: { tunnel?: string; after: number; max: number }; result: TrafficPage };
  'traffic/get': { params: { id: string }; result: ExchangeDetail };
  'traffic/clear': { params: { tunnel?: string }; result: null };
  /** Hints (`traffic/changed`) are sent only to those who watch. */
  'traffic/watch': { params: { on: boolean }; result: null };
};

export type InspectorNotifications = {
  /** Something changed; at most every 100 ms. */
  'traffic/changed': { head: number };
};

/** What the inspector's page offers the host that shows it, beyond the above. */
export type InspectorPage = {
  requests: Record<string, never>;
  notifications: InspectorNotifications & {
    'panel/visible': { visible: boolean };
    'panel/select': { tunnel?: string };
  };
};

/** What the host (extension or loopback page) answers to the inspector's page. */
export type InspectorHost = {
  requests: InspectorRequests & {
    /** Tunnels to choose from, for the drop-down. */
    'panel/tunnels': { params: object; result: { id: string; label: string; state: string }[] };
    'panel/copy': { params: { text: string }; result: null };
    'panel/strings': { params: object; result: Record<string, string> };
  };
  notifications: { 'panel/log': { message: string; detail?: JsonValue } };
};
