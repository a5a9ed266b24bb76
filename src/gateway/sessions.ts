// Which principal an MCP session belongs to, and what the agent called itself. A session id is not a credential:
// another principal's id is answered exactly like one that never existed.
import type { Era } from '../mcp/message.ts';

/** Sessions remembered per tunnel; whoever holds most of them loses the one it has not used for longest. */
export const maxSessions = 1_000;

/** Sessions remembered of one principal; its own one unused for longest makes room. */
export const maxSessionsPerPrincipal = 200;

export type Session = { principal: string; agent: string; era: Era };

export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  /** Ids by principal, the one unused for longest first. */
  readonly #held = new Map<string, Set<string>>();

  add(id: string, session: Session): void {
    this.delete(id);
    this.#sessions.set(id, session);
    const held = this.#held.get(session.principal) ?? new Set();
    this.#held.set(session.principal, held.add(id));
    if (held.size > maxSessionsPerPrincipal) this.#deleteOldest(held);
    else if (this.#sessions.size > maxSessions) this.#deleteOldest(this.#largest());
  }

  /** The session, if it is this principal's; `foreign` when it is somebody else's. */
  find(id: string, principal: string): Session | 'foreign' | undefined {
    const session = this.#sessions.get(id);
    if (!session) return undefined;
    if (session.principal !== principal) return 'foreign';
    const held = this.#held.get(principal)!;
    held.delete(id); // Moves it to the young end.
    held.add(id);
    return session;
  }

  /** What the agent of this session called itself. */
  agentOf(id: string): string | undefined {
    return this.#sessions.get(id)?.agent;
  }

  delete(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    const held = this.#held.get(session.principal)!;
    held.delete(id);
    if (held.size === 0) this.#held.delete(session.principal);
  }

  #deleteOldest(held: ReadonlySet<string>): void {
    for (const id of held) return this.delete(id);
  }

  #largest(): ReadonlySet<string> {
    let largest: ReadonlySet<string> = new Set();
    for (const held of this.#held.values()) if (held.size > largest.size) largest = held;
    return largest;
  }
}
