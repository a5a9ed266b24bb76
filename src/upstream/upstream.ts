// The one contract between the gateway and whatever speaks MCP behind it. A stdio child and an HTTP listener look the
// same from here: a request of the Streamable HTTP transport goes in, an HTTP answer with a byte stream comes out.
import type { Readable } from 'node:stream';
import type { Direction, ExchangeFlag } from '../mcp/exchange.ts';
import type { Era, RpcMessage } from '../mcp/message.ts';

export type UpstreamRequest = {
  method: 'POST' | 'GET' | 'DELETE';
  /** Lower-case names; hop-by-hop headers, Host, Origin, Cookie and Authorization are gone already. */
  headers: Record<string, string>;
  /** The exact bytes of the body (POST only). */
  body?: Buffer;
  /** A parsed copy of `body`; one element, or several for a batch. */
  messages: readonly RpcMessage[];
  sessionId?: string;
  /** The HTTP+SSE session (2024-11-05) whose message endpoint this was sent to; it has no `sessionId` then. */
  sseSession?: string;
  /** The address that the agent was given is a credential: no answer repeats it. */
  isSecretAddress?: boolean;
  /** What the agent speaks. */
  era: Era;
  /** Whose request it is; nothing is ever shared between two of them. */
  principal: string;
  /** Aborted when the agent has left. */
  signal: AbortSignal;
  /** Told when what follows is not what the server sent; shown beside the exchange. */
  mark?: (flag: ExchangeFlag) => void;
  /** Hears what was said to and by the server where that is not what the agent said and heard. */
  note?: (form: TranslatedForm) => void;
};

/** A message in the form of the server's era. */
export type TranslatedForm = { direction: Direction; text: string };

export type UpstreamResponse = {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** Absent for an empty body (202, 204). The reader must drain or destroy it. */
  body?: Readable;
  /** The body is the stream of this new HTTP+SSE session, and announces its message endpoint. */
  sseSession?: string;
  /** In what it is not what the server sent; shown beside the exchange. */
  marks?: readonly ExchangeFlag[];
};

/** Something a person wants to see beside the exchanges: a line on stderr, a child's start or end. */
export type UpstreamEvent =
  | { kind: 'stderr'; sessionId?: string; line: string }
  | { kind: 'noise'; sessionId?: string; line: string }
  | { kind: 'started'; sessionId?: string; pid?: number }
  | { kind: 'exited'; sessionId?: string; code: number | null; signal: string | null }
  /** A listener that was there takes no connection, or forgot this session; a child ended and is started again. */
  | { kind: 'away'; sessionId?: string; reason?: string }
  /** It is there again, and so is the session. */
  | { kind: 'returned'; sessionId?: string; awayMs: number };

/** Which eras a server speaks, as far as it has been asked. */
export type KnownEras = { [era in Era]?: boolean };

/** Documents by which agents find the authorization server of an upstream (RFC 9728, RFC 8414, OpenID Discovery). */
export const metadataDocuments = [
  'oauth-protected-resource',
  'oauth-authorization-server',
  'openid-configuration',
] as const;

export type MetadataDocument = (typeof metadataDocuments)[number];

/** `isOfEndpoint`: the document that describes the MCP endpoint, else the one at the server's root. */
export type MetadataRequest = Pick<UpstreamRequest, 'headers' | 'signal' | 'principal'> & {
  document: MetadataDocument;
  isOfEndpoint: boolean;
};

export interface Upstream {
  readonly kind: 'http' | 'stdio';
  /**
   * Shows that the server is there: a stdio command is started once and initialised, a URL is connected to.
   * Throws `UPSTREAM_START`, `UPSTREAM_UNREACHABLE` or `UPSTREAM_PROTOCOL`; nothing stays open then.
   */
  check(signal: AbortSignal): Promise<KnownEras | void>;
  /** Throws `UPSTREAM_*` when there is no answer to pass on; never for an HTTP status. */
  forward(request: UpstreamRequest): Promise<UpstreamResponse>;
  /** Where a server has a URL: that, and what it publishes about its authorization. */
  readonly url?: string;
  metadata?(request: MetadataRequest): Promise<UpstreamResponse>;
  onEvent(listener: (event: UpstreamEvent) => void): () => void;
  /** Ends everything it started, process trees included. */
  close(): Promise<void>;
}
