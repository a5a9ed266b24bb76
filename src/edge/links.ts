// The links that connectors hold to this edge now, and the end of those that may no longer be: revoked, or with a
// certificate that has run out meanwhile.
import type { EdgeLink } from '../wire/link.ts';
import type { EdgeLog } from './edgeLog.ts';

/** A live link and the identity its certificate proved. */
export type Link = {
  connector: string;
  session: EdgeLink;
  /** Of the certificate; later where the connector has renewed it over this link. */
  expiresMs: number;
};

export class Links {
  readonly #links = new Set<Link>();
  readonly #log: EdgeLog;

  constructor(log: EdgeLog) {
    this.#log = log;
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

  async close(): Promise<void> {
    await Promise.all(this.all().map((link) => link.session.close()));
  }
}
