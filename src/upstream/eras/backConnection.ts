// The HTTP side of a session with a legacy server: its id, its revision, its headers, and how a server says that it knows
// the session no more.
import { legacyRevisions } from '../../mcp/revisions.ts';
import type { Upstream, UpstreamResponse } from '../upstream.ts';
import { refuseStatus } from './httpRefusal.ts';
import { carriedHeaders, postOf } from './spoken.ts';

/** The server does not know the session any more: what was just asked was not carried out. */
export class SessionLost extends Error {}

export type BackConnectionOptions = {
  upstream: Upstream;
  principal: string;
  headers: Record<string, string>;
  /** The server has forgotten the session. */
  onGone: () => void;
  /** The server refused a request as such: it may have become another. */
  onRefused: () => void;
};

export class BackConnection {
  readonly #options: BackConnectionOptions;
  #sessionId: string | undefined;
  /** Agreed upon; unknown before `initialize` was answered. */
  #revision: string | undefined;
  #headers: Record<string, string>;

  constructor(options: BackConnectionOptions) {
    this.#options = options;
    this.#headers = carriedHeaders(options.headers);
  }

  /** Headers of the agent that its newest request brought. */
  carry(headers: Record<string, string>): void {
    this.#headers = carriedHeaders(headers);
  }

  agreed(revision: string | undefined): void {
    this.#revision = revision ?? legacyRevisions[0]!;
  }

  /** One message. Throws {@link SessionLost} and what `forward` throws. */
  async post(text: string, signal: AbortSignal): Promise<UpstreamResponse> {
    const { upstream, principal } = this.#options;
    const headers = this.#allHeaders();
    const answer = await upstream.forward(
      postOf(text, { era: 'legacy', principal, signal, headers, sessionId: this.#sessionId }),
    );
    this.#refuseGone(answer);
    refuseStatus(answer);
    if (answer.status >= 400 && answer.status < 500) this.#options.onRefused();
    this.#sessionId ??= answer.headers['mcp-session-id'];
    return answer;
  }

  /** A message that has no answer but a status. */
  async tell(text: string, signal: AbortSignal): Promise<void> {
    const answer = await this.post(text, signal);
    answer.body?.destroy();
  }

  /** A stream, or `undefined` where the server gives none. Throws likewise. */
  async get(lastEventId: string | undefined, signal: AbortSignal): Promise<UpstreamResponse | undefined> {
    const resume = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const answer = await this.#send('GET', { accept: 'text/event-stream', ...resume }, signal);
    this.#refuseGone(answer);
    if (answer.status === 200) return answer;
    answer.body?.destroy();
    return undefined;
  }

  /** Tells the server that the session is over, where there is one. */
  async delete(signal: AbortSignal): Promise<void> {
    if (this.#sessionId === undefined) return;
    const answer = await this.#send('DELETE', {}, signal);
    answer.body?.destroy();
  }

  #send(method: 'GET' | 'DELETE', headers: Record<string, string>, signal: AbortSignal): Promise<UpstreamResponse> {
    return this.#options.upstream.forward({
      method,
      headers: { ...this.#allHeaders(), ...headers },
      messages: [],
      ...(this.#sessionId === undefined ? {} : { sessionId: this.#sessionId }),
      era: 'legacy',
      principal: this.#options.principal,
      signal,
    });
  }

  /** 404 is how a server says that it knows no such session. */
  #refuseGone({ status, body }: UpstreamResponse): void {
    if (status !== 404 || this.#sessionId === undefined) return;
    body?.destroy();
    this.#options.onGone();
    throw new SessionLost();
  }

  #allHeaders(): Record<string, string> {
    return {
      ...this.#headers,
      ...(this.#revision === undefined ? {} : { 'mcp-protocol-version': this.#revision }),
      ...(this.#sessionId === undefined ? {} : { 'mcp-session-id': this.#sessionId }),
    };
  }
}
