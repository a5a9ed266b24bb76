// What a headless tunnel counts, in the text format of Prometheus: its state, its calls as the inspector sees them, its
// certificate. No name of an agent, tool or host is a label: those are strangers' words, and each would be a series.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../edge/edgeMetrics.ts';
import { addBuildInfo, addProcessMetrics, type EventLoopLag } from '../edge/processMetrics.ts';
import { rowClass, type ExchangeRow } from '../mcp/exchange.ts';
import type { TunnelInfo } from '../protocol/control.ts';

/** A finished exchange may change once more; of so many the last it is known that they were counted. */
const maxRemembered = 10_000;

const states = ['starting', 'connecting', 'connected', 'waiting', 'failed', 'stopped'] as const;

export type TunnelMetricsOptions = {
  tunnel: () => TunnelInfo | undefined;
  /** Calls that are not answered yet. */
  open: () => number;
  isReady: () => boolean;
  version: string;
  lag: EventLoopLag;
};

export class TunnelMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counted = new Set<string>();
  readonly #exchanges: Counter<'status'>;
  readonly #strangers: Counter;
  readonly #bytes: Counter<'direction'>;
  readonly #latency: Histogram;

  constructor({ tunnel, open, isReady, version, lag }: TunnelMetricsOptions) {
    const registry = this.#registry;
    const named = (name: string, help: string) => ({
      name: `mcp_tunnel_connector_${name}`,
      help,
      registers: [registry],
    });
    this.#exchanges = new Counter({
      ...named('exchanges_total', 'Exchanges of agents that were let in, by outcome.'),
      labelNames: ['status'],
    });
    this.#strangers = new Counter(named('strangers_total', 'Requests of who was not let in.'));
    this.#bytes = new Counter({
      ...named('exchanged_bytes_total', 'Bytes of requests and answers.'),
      labelNames: ['direction'],
    });
    this.#latency = new Histogram({
      ...named('exchange_duration_seconds', 'From the first byte of a request to the last of its answer.'),
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
    });
    const gauge = (name: string, help: string, value: () => number | undefined): void =>
      registry.registerMetric(
        new Gauge({
          ...named(name, help),
          registers: [],
          collect() {
            const now = value();
            if (now === undefined) this.remove();
            else this.set(now);
          },
        }),
      );
    registry.registerMetric(
      new Gauge({
        ...named('state', 'The tunnel’s state: 1 for the one it is in.'),
        registers: [],
        labelNames: ['state'],
        collect() {
          const now = tunnel()?.state.kind ?? 'starting';
          for (const state of states) this.set({ state }, Number(state === now));
        },
      }),
    );
    gauge('ready', '1 while /readyz answers 200.', () => Number(isReady()));
    gauge('open_exchanges', 'Calls that are not answered yet.', open);
    gauge('links', 'Links to the edge that are up.', () => tunnel()?.links?.up);
    gauge('wanted_links', 'Links to the edge that there should be.', () => tunnel()?.links?.wanted);
    gauge('last_exchange_timestamp_seconds', 'When an agent was last answered through the public name.', () =>
      seconds(tunnel()?.lastExchangeMs),
    );
    gauge('certificate_expiry_timestamp_seconds', 'When the certificate that agents see ends.', () =>
      seconds(tunnel()?.certificate?.expiresMs),
    );
    addBuildInfo(registry, 'mcp_tunnel_connector', version);
    addProcessMetrics(registry, lag);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Hears of each row whenever it changed. */
  see(row: ExchangeRow): void {
    if (row.status === 'pending' || this.#counted.has(row.id)) return;
    this.#remember(row.id);
    if (rowClass(row) === 'stranger') return this.#strangers.inc();
    this.#exchanges.inc({ status: row.status.replace('-', '_') });
    this.#bytes.inc({ direction: 'request' }, row.requestBytes);
    this.#bytes.inc({ direction: 'answer' }, row.responseBytes);
    // A stream is open for as long as its agent likes: that is no latency.
    if (row.latencyMs !== undefined && row.kind !== 'stream') this.#latency.observe(row.latencyMs / 1000);
  }

  print(): Promise<string> {
    return this.#registry.metrics();
  }

  #remember(id: string): void {
    this.#counted.add(id);
    if (this.#counted.size <= maxRemembered) return;
    for (const oldest of this.#counted) return void this.#counted.delete(oldest);
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
