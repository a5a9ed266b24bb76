// SIGHUP: the settings of a running edge are read anew. What can change while it runs does, what cannot is named, and a
// file that is wrong changes nothing: the old settings stay, and log and metrics say so until a good one is read.
import { errorInfo } from '../core/errors.ts';
import type { EdgeFigures } from '../edge/edgeMetrics.ts';
import type { EdgeLogger } from '../edge/edgeLog.ts';
import type { Edge } from '../edge/edge.ts';
import { needsRestart, type EdgePlan } from './edgePlan.ts';

export type EdgeReloadOptions = {
  plan: EdgePlan;
  read: () => Promise<EdgePlan>;
  edge: Pick<Edge, 'setLimits'>;
  /** Reads the doors' certificate anew, from where `plan` says by now. */
  reloadServer: () => Promise<boolean>;
  log: EdgeLogger;
};

export class EdgeReload {
  /** In use; its members change with each reload, its lists in place. */
  readonly plan: EdgePlan;
  readonly figures: EdgeFigures['reloads'] = { succeeded: 0, failed: 0, lastFailed: false };
  readonly #options: EdgeReloadOptions;
  #running: Promise<void> = Promise.resolve();

  constructor(options: EdgeReloadOptions) {
    this.#options = options;
    this.plan = options.plan;
  }

  /** One after the other. Never rejects. */
  reload(): Promise<void> {
    this.#running = this.#running.then(() => this.#reload());
    return this.#running;
  }

  async #reload(): Promise<void> {
    const { read, edge, log } = this.#options;
    try {
      const next = await read();
      const later = needsRestart(this.plan, next);
      const hasNewCertificate = await this.#takeCertificate(next);
      edge.setLimits({ ...next.limits, ...pick(this.plan.limits, 'handshakeMs') });
      log.level = next.log.level;
      replace(this.plan.reservedLabels, next.reservedLabels);
      replace(this.plan.proxyFrom, next.proxyFrom);
      this.plan.drain = next.drain;
      this.figures.succeeded += 1;
      this.figures.lastFailed = false;
      log.info(
        'config-reloaded',
        `the settings were read anew${hasNewCertificate ? ', and the doors have a new certificate' : ''}`,
      );
      if (later.length > 0)
        log.warn('config-needs-restart', `these take effect with the next start: ${later.join(', ')}`);
    } catch (error) {
      this.figures.failed += 1;
      this.figures.lastFailed = true;
      const { message } = errorInfo(error);
      log.error('config-reload-failed', `the settings of before stay in use: ${message}`, { reason: message });
    }
  }

  /** First of all: a certificate that cannot be used must leave everything as it was. */
  async #takeCertificate(next: EdgePlan): Promise<boolean> {
    const before = this.plan.certificate;
    if (before === undefined || next.certificate === undefined) return false;
    this.plan.certificate = next.certificate;
    try {
      return await this.#options.reloadServer();
    } catch (error) {
      this.plan.certificate = before;
      throw error;
    }
  }
}

function replace<T>(list: readonly T[], next: readonly T[]): void {
  (list as T[]).splice(0, list.length, ...next);
}

function pick<T extends object, K extends keyof T>(from: T, key: K): Partial<Pick<T, K>> {
  return from[key] === undefined ? {} : ({ [key]: from[key] } as Pick<T, K>);
}
