// What was seen of one exchange, as data: the rows of the inspector's list and what a click on one shows. Written by
// the traffic log, shown by every inspector; it crosses process borders as it is.
import type { FailureMark } from './failures.ts';
import type { Era } from './message.ts';

export type Direction = 'agent-to-server' | 'server-to-agent';

export const exchangeStatuses = [
  'pending',
  'ok',
  'error', // a JSON-RPC error, or an HTTP status of 400 and above from the upstream
  'tool-error', // a result with isError: true
  'denied', // by authentication, policy or grant: the upstream never heard of it
  'failed', // the upstream could not be reached or ended
  'cancelled', // the agent left or cancelled
] as const;

export type ExchangeStatus = (typeof exchangeStatuses)[number];

/** One line of the list: small, and always safe to show (no parameters, no secrets). */
export type ExchangeRow = {
  /** Number of this row's newest change; rises with every change of any row of the log. */
  seq: number;
  /** Stable id of the exchange. */
  id: string;
  tunnel: string;
  direction: Direction;
  kind: 'request' | 'notification' | 'response' | 'stream' | 'http' | 'event';
  /** Nobody has proved to be anybody: refused before that, or not asked yet. */
  stranger?: true;
  /** Milliseconds since the epoch. */
  startedMs: number;
  /** Name the agent gave itself in `clientInfo`, or of its grant. Written by strangers. */
  agent: string;
  /** First eight characters of the MCP session id, for telling sessions apart; never the whole. */
  session?: string;
  era?: Era;
  method: string;
  /** Tool or prompt name, or resource URI; of an event what the server said, secrets that are known taken out. */
  name?: string;
  status: ExchangeStatus;
  httpStatus?: number;
  rpcCode?: number;
  /** One sentence when it was denied or failed. */
  reason?: string;
  /** Where it failed, by the table of `failures.ts`. */
  failure?: FailureMark;
  /** From the first byte of the request to the last byte of the answer. */
  latencyMs?: number;
  requestBytes: number;
  responseBytes: number;
  /** Progress and other notifications that arrived with it. */
  messages: number;
  flags: ExchangeFlag[];
};

/** What a row tells of: a call of an agent, an attempt of a stranger, or what a server said beside its answers. */
export type RowClass = 'call' | 'stranger' | 'event';

/** Each class is held within bounds of its own, in the log and wherever rows are shown. */
export function rowClass({ kind, stranger }: Pick<ExchangeRow, 'kind'> & { stranger?: true | undefined }): RowClass {
  if (kind === 'event') return 'event';
  return stranger ? 'stranger' : 'call';
}

export const exchangeFlags = [
  'filtered',
  'redacted',
  'truncated',
  'late',
  'keep-alive', // comments of ours stand between its events
  'endpoint', // the message endpoint that an HTTP+SSE stream announces is the public one
  'remapped', // the server knows the session, or its calls, by other ids than the agent does
  'synthesised', // a message of ours stands in it: a list_changed after a return, an error where a stream broke off
  'translated', // agent and server speak different eras; the detail holds both forms
  'held', // it waited until a person answered, or nobody did
  'edited', // a person changed its arguments
  'mocked', // a person answered in place of the server
  'metadata', // URLs in OAuth metadata name the public address
] as const;

export type ExchangeFlag = (typeof exchangeFlags)[number];

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
  /** Where agent and server speak different eras: what was said on the server's side of the translation. */
  translated?: CapturedMessage[];
  timings: Timings;
};

export type TrafficPage = {
  rows: ExchangeRow[];
  /** Ask with `after: next` for what comes later. */
  next: number;
  /** True when there is more than `max` right now. */
  more: boolean;
  /** Calls pushed out of the log since it began. */
  dropped: number;
  /** Rises when the log was cleared: throw away what you hold. */
  epoch: number;
};

/** One line of a window: an exchange, or how many calls are missing there because newer ones pushed them out. */
export type TrafficLine = { kind: 'row'; row: ExchangeRow } | { kind: 'gap'; count: number };

/** What a viewer has in sight of all lines that match its filter. */
export type TrafficWindow = {
  lines: TrafficLine[];
  /** Place of the first of `lines` among all that match. */
  from: number;
  /** How many lines there are in all: rows that match, and gaps. */
  length: number;
  matched: number;
  /** Rows held, whether or not they match; of them calls of agents, and how many of those match. */
  total: number;
  calls: { held: number; shown: number };
  /** Calls pushed out since the log was cleared. */
  dropped: number;
  /** The row that was asked for by its id, while it is held: its place, -1 when it does not match, and its newest change. */
  selected?: { place: number; seq: number };
  /** Not everything that is held was looked at yet. */
  searching?: { seen: number; of: number };
};
