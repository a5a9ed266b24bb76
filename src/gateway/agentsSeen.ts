// Who has called, how often, and when last: what the tunnel's row in a tree shows.
import type { Clock } from '../core/clock.ts';

/** Agents remembered per tunnel; of the grant with most of them the one silent for longest makes room: they name themselves. */
export const maxAgents = 100;

/** `visitor` is the address it called from last, as the carrier reports it. */
export type AgentSeen = {
  name: string;
  grant: { id: string; name: string };
  visitor: string;
  lastCallMs: number;
  calls: number;
  refused: number;
};

type Caller = { grant: string; name: string };

const WINDOW_MS = 60_000;
/** Calls remembered for the rate; more within a minute count as this many. */
const maxRemembered = 10_000;

export class AgentsSeen {
  readonly #clock: Clock;
  readonly #agents = new Map<string, AgentSeen>();
  #recent: number[] = [];
  #lastAnswerMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  called(name: string, caller: Caller, visitor: string): void {
    const now = this.#clock.now();
    const agent = this.#agent(name, caller, visitor);
    agent.calls += 1;
    agent.lastCallMs = now;
    if (this.#recent.length < maxRemembered) this.#recent.push(now);
  }

  refused(name: string, caller: Caller, visitor: string): void {
    this.#agent(name, caller, visitor).refused += 1;
  }

  /** An upstream's answer has reached an agent: the only proof that a tunnel is ready. */
  answered(): void {
    this.#lastAnswerMs = this.#clock.now();
  }

  get lastAnswerMs(): number | undefined {
    return this.#lastAnswerMs;
  }

  get callsPerMinute(): number {
    const since = this.#clock.now() - WINDOW_MS;
    this.#recent = this.#recent.filter((at) => at > since);
    return this.#recent.length;
  }

  list(): AgentSeen[] {
    return [...this.#agents.values()].map((agent) => ({ ...agent, grant: { ...agent.grant } }));
  }

  #agent(name: string, { grant: id, name: grantName }: Caller, visitor: string): AgentSeen {
    const key = JSON.stringify([name, id]);
    const grant = { id, name: grantName };
    const lastCallMs = this.#clock.now();
    const agent = this.#agents.get(key) ?? { name, grant, visitor, lastCallMs, calls: 0, refused: 0 };
    agent.visitor = visitor;
    this.#agents.delete(key);
    this.#agents.set(key, agent);
    if (this.#agents.size > maxAgents) this.#forgetOne();
    return agent;
  }

  #forgetOne(): void {
    const held = new Map<string, number>();
    for (const { grant } of this.#agents.values()) held.set(grant.id, (held.get(grant.id) ?? 0) + 1);
    const most = Math.max(...held.values());
    for (const [key, { grant }] of this.#agents) {
      if (held.get(grant.id) === most) return void this.#agents.delete(key);
    }
  }
}
