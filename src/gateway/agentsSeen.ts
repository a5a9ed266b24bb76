// Who has called, how often, and when last: what the tunnel's row in a tree shows.
import type { Clock } from '../core/clock.ts';

/** Agents remembered per tunnel; the one silent for longest makes room. */
export const maxAgents = 100;

export type AgentSeen = { name: string; grant: string; lastCallMs: number; calls: number; refused: number };

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

  called(name: string, grant: string): void {
    const now = this.#clock.now();
    const agent = this.#agent(name, grant);
    agent.calls += 1;
    agent.lastCallMs = now;
    if (this.#recent.length < maxRemembered) this.#recent.push(now);
  }

  refused(name: string, grant: string): void {
    this.#agent(name, grant).refused += 1;
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
    return [...this.#agents.values()].map((agent) => ({ ...agent }));
  }

  #agent(name: string, grant: string): AgentSeen {
    const key = JSON.stringify([name, grant]);
    const agent = this.#agents.get(key) ?? { name, grant, lastCallMs: this.#clock.now(), calls: 0, refused: 0 };
    this.#agents.delete(key);
    this.#agents.set(key, agent);
    if (this.#agents.size > maxAgents) this.#agents.delete(this.#agents.keys().next().value!);
    return agent;
  }
}
