// A server that checks its agents itself refuses with HTTP, not with a message: the agent must hear that as it is, whatever
// its era, or it would never ask for credentials.
import { refusal } from '../answers.ts';
import type { UpstreamResponse } from '../upstream.ts';

export class HttpRefusal extends Error {
  readonly #status: number;
  readonly #challenge: string | undefined;

  constructor({ status, headers }: UpstreamResponse) {
    super(`the server answered HTTP ${status}`);
    this.#status = status;
    this.#challenge = headers['www-authenticate'];
  }

  get response(): UpstreamResponse {
    const headers = this.#challenge === undefined ? {} : { 'www-authenticate': this.#challenge };
    return refusal(this.#status, 'the server does not let this agent in', { headers });
  }
}

/** Throws {@link HttpRefusal} for 401 and 403. */
export function refuseStatus(answer: UpstreamResponse): void {
  if (answer.status !== 401 && answer.status !== 403) return;
  answer.body?.destroy();
  throw new HttpRefusal(answer);
}
