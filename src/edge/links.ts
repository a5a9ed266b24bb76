// The links that connectors hold to this edge now, and the end of those that may no longer be: revoked, or with a
// certificate that has run out meanwhile.
import type { Clock } from '../core/clock.ts';
import type { ErrorInfo } from '../core/errors.ts';
import type { EdgeLink } from '../wire/link.ts';
import type { EdgeLog } from './edgeLog.ts';

/** A live link and the identity its certificate proved. */
export type Link = {
  connector: string;
  session: EdgeLink;
  /** As its connector calls it; once it has claimed a name. */
  id?: string;
  /** Of the certificate it showed; it lives on where the connector was given a newer one since. */
  expiresMs: number;
};

/** How long a link that lost a name may take to read why, and to end by itself. */
export const lostGraceMs = 2000;

export class Links {
  readonly #links = new Set<Link>();
  readonly #log: EdgeLog;
  readonly #clock: Clock;

  constructor(log: EdgeLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  add(link: Link): void {
    this.#links.add(link);
    link.session.onClose(() => this.#links.delete(link));
  }

  all(): Link[] {
    return [...this.#links];
  }

  of(connector: string): Link[] {
    return this.all().filter((link) => link.connector === connector);
  }

  /** Cuts them off, visitors included. */
  end(links: readonly Link[], why: string): void {
    for (const { session, connector } of links) {
      this.#log.warn('connector-cut-off', `connector ${connector} was cut off: ${why}`, { connector, why });
      void session.close();
    }
  }

  /** Tells each that it lost the name, then cuts off those that stay: their visitors came for it. */
  lose(links: Iterable<Link>, label: string, error: ErrorInfo): void {
    for (const link of links) {
      link.session.control.notify('route/lost', { label, error });
      const late = this.#clock.after(lostGraceMs, () => this.end([link], `the name ${label} was taken from it`));
      link.session.onClose(() => late.cancel());
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((link) => link.session.close()));
  }
}
