// What a server says and does beside its answers, as rows of the inspector's time line: lines on stderr, prints that are
// no MCP, starts and ends. Written by a program that may be anybody's: redacted and cut like all that is recorded.
import type { Clock } from '../core/clock.ts';
import type { ExchangeStatus } from '../mcp/exchange.ts';
import { maxTextLength } from '../traffic/exchangeRecorder.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import type { UpstreamEvent } from '../upstream/upstream.ts';

/** Lines in a row that are recorded, and how many more each second allows; the rest is counted, and the count shown. */
export const lineBurst = 500;
export const linesPerSecond = 100;

export type ServerEventsOptions = {
  tunnel: string;
  clock: Clock;
  traffic: TrafficLog;
  /** What the agent of a session called itself. */
  agentOf: (session: string) => string | undefined;
};

type Told = { method: string; text: string; status: ExchangeStatus };

export class ServerEvents {
  readonly #options: ServerEventsOptions;
  #left = lineBurst;
  #atMs: number;
  #unrecorded = 0;

  constructor(options: ServerEventsOptions) {
    this.#options = options;
    this.#atMs = options.clock.now();
  }

  readonly note = (event: UpstreamEvent): void => {
    // What happens to the server is told always; what it prints, as far as anybody could read it.
    const isLine = event.kind === 'stderr' || event.kind === 'noise';
    if (isLine && !this.#mayRecord()) {
      this.#unrecorded += 1;
      return;
    }
    this.#tellUnrecorded();
    this.#record(told(event), event.sessionId);
  };

  #mayRecord(): boolean {
    const nowMs = this.#options.clock.now();
    // A clock that was set back allows nothing more.
    this.#left = Math.min(lineBurst, this.#left + (Math.max(0, nowMs - this.#atMs) * linesPerSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  #tellUnrecorded(): void {
    if (this.#unrecorded === 0) return;
    const text = `${this.#unrecorded} more lines were not recorded`;
    this.#unrecorded = 0;
    this.#record({ method: 'stderr', text, status: 'ok' });
  }

  #record({ method, text, status }: Told, session?: string): void {
    const { tunnel, traffic, agentOf } = this.#options;
    const recorder = traffic.begin({
      tunnel,
      direction: 'server-to-agent',
      kind: 'event',
      httpMethod: '',
      path: '',
      headers: [],
    });
    const agent = session === undefined ? undefined : agentOf(session);
    recorder.update({
      method,
      name: text,
      ...(session === undefined ? {} : { session }),
      ...(agent === undefined ? {} : { agent }),
    });
    if (text.length > maxTextLength) recorder.message('server-to-agent', text);
    recorder.finish({ status });
  }
}

function told(event: UpstreamEvent): Told {
  switch (event.kind) {
    case 'stderr':
      return { method: 'stderr', text: event.line, status: 'ok' };
    case 'noise':
      return { method: 'stdout', text: event.line, status: 'ok' };
    case 'started':
      return { method: 'started', text: event.pid === undefined ? '' : `process ${event.pid}`, status: 'ok' };
    case 'exited': {
      const text = event.signal === null ? `with code ${event.code}` : `by ${event.signal}`;
      return { method: 'ended', text, status: event.code === 0 ? 'ok' : 'failed' };
    }
    case 'away':
      return { method: 'away', text: event.reason ?? '', status: 'failed' };
    case 'returned':
      return { method: 'returned', text: `after ${event.awayMs} ms`, status: 'ok' };
  }
}
