// One `subscriptions/listen` stream of a modern server, kept open for a legacy session: it brings the changes that such a
// session hears of without asking, and the resources it subscribed to. Opened again when what it wants has changed, and
// when it broke off.
import { Backoff } from '../../core/backoff.ts';
import type { Clock, Random, TimerHandle } from '../../core/clock.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { memberText, memberTexts, objectText, withMembers } from '../../mcp/jsonEdit.ts';
import { metaKey } from '../../mcp/revisions.ts';
import type { Outcome } from './modernConversation.ts';
import type { Spoken } from './spoken.ts';

/** Resources one session may be subscribed to; one more is refused. */
export const maxSubscribedResources = 1_000;

/** A stream that broke off is opened again after at most this, the first time and at last. */
export const reopenMs = { base: 500, max: 30_000 };

export type Listening = {
  clock: Clock;
  random: Random;
  /** Opens a stream with this filter (JSON text); settles when it ends. */
  listen: (filter: string, signal: AbortSignal, onNotification: (spoken: Spoken) => Promise<void>) => Promise<Outcome>;
  /** A notification for the agent, in legacy form. */
  onNotification: (text: string) => Promise<void>;
};

type Changes = { toolsListChanged?: true; promptsListChanged?: true; resourcesListChanged?: true };

export class SessionSubscription {
  readonly #options: Listening;
  readonly #resources = new Set<string>();
  readonly #backoff: Backoff;
  #changes: Changes = {};
  #mayHearOfResources = false;
  #stream: AbortController | undefined;
  #reopen: TimerHandle | undefined;
  #closed = false;

  constructor(options: Listening) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: reopenMs.base, maxMs: reopenMs.max, random: options.random });
  }

  /** What the server said that it tells of. */
  learn(capabilities: JsonObject): void {
    const says = (of: string, what: string): boolean => {
      const own = capabilities[of];
      return isJsonObject(own) && own[what] === true;
    };
    this.#changes = {
      ...(says('tools', 'listChanged') ? { toolsListChanged: true } : {}),
      ...(says('prompts', 'listChanged') ? { promptsListChanged: true } : {}),
      ...(says('resources', 'listChanged') ? { resourcesListChanged: true } : {}),
    };
    this.#mayHearOfResources = says('resources', 'subscribe');
  }

  /** The agent is ready to hear (`notifications/initialized`). */
  start(): void {
    if (Object.keys(this.#changes).length > 0) void this.#open();
  }

  /** Resolves when the server has agreed; else with the reason why not. */
  async add(uri: string): Promise<string | undefined> {
    if (!this.#mayHearOfResources) return 'this server has no resource subscriptions';
    if (this.#resources.size >= maxSubscribedResources) return `more than ${maxSubscribedResources} subscriptions`;
    this.#resources.add(uri);
    const agreed = await this.#open();
    if (agreed?.includes(uri) === true) return undefined;
    this.#resources.delete(uri);
    return 'the server did not agree to the subscription';
  }

  async remove(uri: string): Promise<void> {
    if (this.#resources.delete(uri)) await this.#open();
  }

  close(): void {
    this.#closed = true;
    this.#reopen?.cancel();
    this.#stream?.abort();
  }

  /** Gives the resources the server agreed to, once it did. The stream before goes on until then, so nothing is missed. */
  #open(): Promise<readonly string[] | undefined> {
    this.#reopen?.cancel();
    if (this.#closed) return Promise.resolve(undefined);
    const before = this.#stream;
    const stream = new AbortController();
    this.#stream = stream;
    if (Object.keys(this.#changes).length === 0 && this.#resources.size === 0) {
      before?.abort();
      return Promise.resolve([]);
    }
    const filter = {
      ...this.#changes,
      ...(this.#resources.size > 0 ? { resourceSubscriptions: [...this.#resources] } : {}),
    };
    return new Promise((resolve) => {
      const hear = async ({ text, message }: Spoken): Promise<void> => {
        if (message['method'] !== 'notifications/subscriptions/acknowledged') {
          // What came meanwhile on the stream before is told by that one.
          return this.#options.onNotification(withoutSubscriptionId(text));
        }
        before?.abort();
        this.#backoff.reset();
        resolve(agreedResources(message['params']));
      };
      this.#options
        .listen(JSON.stringify(filter), stream.signal, hear)
        .catch(() => undefined) // It broke off: it is opened again.
        .then(() => {
          before?.abort();
          resolve(undefined);
          this.#ended(stream);
        })
        .catch(() => undefined);
    });
  }

  #ended(stream: AbortController): void {
    if (this.#closed || this.#stream !== stream) return;
    this.#reopen = this.#options.clock.after(this.#backoff.next(), () => void this.#open());
  }
}

function agreedResources(params: JsonValue | undefined): string[] {
  const agreed = isJsonObject(params) ? params['notifications'] : undefined;
  const uris = isJsonObject(agreed) ? agreed['resourceSubscriptions'] : undefined;
  return Array.isArray(uris) ? uris.filter((uri): uri is string => typeof uri === 'string') : [];
}

function withoutSubscriptionId(text: string): string {
  const params = memberText(text, 'params');
  const meta = params === undefined ? undefined : memberText(params, '_meta');
  if (params === undefined || meta === undefined) return text;
  const rest = memberTexts(meta);
  rest.delete(metaKey.subscriptionId);
  const changed = withMembers(params, { _meta: rest.size === 0 ? undefined : objectText(rest) });
  return withMembers(text, { params: changed === '{}' ? undefined : changed });
}
