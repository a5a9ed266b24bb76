// What a scrape asks of any process: memory, processor time, how late its event loop is. Under the names that client
// libraries of Prometheus give them, so that the usual dashboards find them.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

/** How often the event loop is looked at. */
const resolutionMs = 20;

/** Since the last look, at the latest `resolutionMs` too much. Ask one for each reader. */
export class EventLoopLag {
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#histogram.enable();
  }

  /** The longest that something had to wait, in milliseconds. */
  take(): number {
    const { max, count } = this.#histogram;
    this.#histogram.reset();
    return count === 0 ? 0 : Math.max(0, Math.round(max / 1e6) - resolutionMs);
  }

  close(): void {
    this.#histogram.disable();
  }
}

export function addProcessMetrics(registry: Registry, lag: EventLoopLag): void {
  const registers: Registry[] = [];
  const started = new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since the epoch.',
    registers,
  });
  started.set(Math.round(Date.now() / 1000 - process.uptime()));
  registry.registerMetric(started);
  registry.registerMetric(
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory of the process.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of the process, user and system.',
      registers,
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'nodejs_eventloop_lag_max_seconds',
      help: 'The longest that the event loop was late since the last scrape.',
      registers,
      collect() {
        this.set(lag.take() / 1000);
      },
    }),
  );
}

/** Which version runs, as `<prefix>_build_info`. */
export function addBuildInfo(registry: Registry, prefix: string, version: string): void {
  const info = new Gauge({
    name: `${prefix}_build_info`,
    help: 'Which version runs, on which Node.',
    registers: [],
    labelNames: ['version', 'node'],
  });
  info.set({ version, node: process.versions.node }, 1);
  registry.registerMetric(info);
}
