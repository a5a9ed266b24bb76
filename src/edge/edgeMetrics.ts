// What an edge counts, in the text format of Prometheus. Labels are fixed words of the code: no hostname, address or
// connector is among them, because who can see the figures need not see the tenants, and strangers must not make series.
import { Counter, Gauge, Registry } from 'prom-client';
import type { EdgeCounters } from './edgeCounters.ts';
import { addBuildInfo, addProcessMetrics, type EventLoopLag } from './processMetrics.ts';

export type EdgeFigures = {
  counters: EdgeCounters;
  links: number;
  /** Machines with at least one link. */
  connectors: number;
  routes: number;
  visitors: number;
  /** Bytes that wait for visitors or connectors who do not read. */
  heldBytes: number;
  bytesToConnectors: number;
  bytesToVisitors: number;
  isReady: boolean;
  isDraining: boolean;
  /** Absent where there is none. */
  registryAway?: boolean;
  unspentTokens: number;
  /** Of the certificate that the edge's doors show. */
  certificateExpiresMs: number;
  reloads: { succeeded: number; failed: number; lastFailed: boolean };
};

export type Metrics = { readonly contentType: string; print(): Promise<string> };

/** Counters that are no reason to turn somebody away. */
const own = {
  connections: ['connections', 'Connections accepted by the system.'],
  visitors: ['visitors', 'Visitors handed to a connector.'],
  handedOn: ['handed_on', 'Visitors handed to another node.'],
  connectorsRefused: ['connectors_refused', 'Connections turned away at the connectors’ door.'],
  balancerChecks: ['balancer_checks', 'Times a load balancer looked whether somebody is there.'],
} as const satisfies Partial<Record<keyof EdgeCounters, readonly [string, string]>>;

/** `read` is asked once for each scrape. */
export function edgeMetrics(read: () => EdgeFigures, version: string, lag: EventLoopLag): Metrics {
  const registry = new Registry();
  const registers: Registry[] = [];
  let figures = read();

  const gauge = (name: string, help: string, value: () => number): void =>
    registry.registerMetric(
      new Gauge({
        name: `mcp_tunnel_edge_${name}`,
        help,
        registers,
        collect() {
          this.set(value());
        },
      }),
    );
  /** One series for each word of `label`; without label the only one. */
  const counter = (name: string, help: string, values: () => Record<string, number>, label?: string): void =>
    registry.registerMetric(
      new Counter({
        name: `mcp_tunnel_edge_${name}_total`,
        help,
        registers,
        labelNames: label === undefined ? [] : [label],
        collect() {
          this.reset();
          for (const [word, value] of Object.entries(values()))
            this.inc(label === undefined ? {} : { [label]: word }, value);
        },
      }),
    );

  for (const [key, [name, help]] of Object.entries(own))
    counter(name, help, () => ({ '': figures.counters[key as keyof typeof own] }));
  counter('turned_away', 'Connections closed or cut off, by reason.', () => reasons(figures.counters), 'reason');
  counter(
    'relayed_bytes',
    'Bytes of visitors’ connections that were relayed.',
    () => ({ to_connector: figures.bytesToConnectors, to_visitor: figures.bytesToVisitors }),
    'direction',
  );
  counter(
    'config_reloads',
    'Times the settings were read anew, by result.',
    () => ({ succeeded: figures.reloads.succeeded, failed: figures.reloads.failed }),
    'result',
  );
  gauge('config_reload_failed', '1 while the settings on the disk are not those in use.', () =>
    Number(figures.reloads.lastFailed),
  );
  gauge('links', 'Links of connectors.', () => figures.links);
  gauge('connectors', 'Connectors with at least one link.', () => figures.connectors);
  gauge('routes', 'Names that are served.', () => figures.routes);
  gauge('open_visitors', 'Visitors’ connections that are open.', () => figures.visitors);
  gauge('held_bytes', 'Bytes that wait for visitors or connectors who do not read.', () => figures.heldBytes);
  gauge('unspent_tokens', 'Enrolment tokens that are good for one machine each.', () => figures.unspentTokens);
  gauge('ready', '1 while /readyz answers 200.', () => Number(figures.isReady));
  gauge('registry_away', '1 while the registry that nodes share cannot be reached.', () =>
    Number(figures.registryAway),
  );
  gauge('draining', '1 while the edge is about to end.', () => Number(figures.isDraining));
  gauge(
    'certificate_expiry_timestamp_seconds',
    'When the certificate of the edge’s doors ends.',
    () => figures.certificateExpiresMs / 1000,
  );
  addBuildInfo(registry, 'mcp_tunnel_edge', version);
  addProcessMetrics(registry, lag);

  return {
    contentType: registry.contentType,
    print() {
      figures = read();
      return registry.metrics();
    },
  };
}

function reasons(counters: EdgeCounters): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counters).flatMap(([key, value]) => (key in own ? [] : [[snakeCase(key), value]])),
  );
}

function snakeCase(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
