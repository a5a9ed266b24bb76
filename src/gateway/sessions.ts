// Which principal an MCP session belongs to, and what the agent called itself. A session id is not a credential:
// another principal's id is answered exactly like one that never existed.
import type { Era } from '../mcp/message.ts';

/** Sessions remembered per tunnel; the one unused for longest makes room. */
export const maxSessions = 1_000;

export type Session = { principal: string; agent: string; era: Era };

export class SessionTable {
  readonly #sessions = new Map<string, Session>();

  add(id: string, session: Session): void {
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    if (this.#sessions.size <= maxSessions) return;
    const oldest = this.#sessions.keys().next();
    if (!oldest.done) this.#sessions.delete(oldest.value);
  }

  /** The session, if it is this principal's; `foreign` when it is somebody else's. */
  find(id: string, principal: string): Session | 'foreign' | undefined {
    const session = this.#sessions.get(id);
    if (!session) return undefined;
    if (session.principal !== principal) return 'foreign';
    this.#sessions.delete(id); // Moves it to the young end.
    this.#sessions.set(id, session);
    return session;
  }

  /** What the agent of this session called itself. */
  agentOf(id: string): string | undefined {
    return this.#sessions.get(id)?.agent;
  }

  delete(id: string): void {
    this.#sessions.delete(id);
  }
}
