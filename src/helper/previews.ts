// Looks at a server before it is exposed: starts it as a session would have it, asks what it offers, and ends it again.
// Nothing is started that no person agreed to, and nothing is asked twice for the same definition unless somebody wants
// it. The answer is judged anew each time, beside what the other servers offer.
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { ServerTransport } from '../core/server.ts';
import { askOffer } from '../gateway/askOffer.ts';
import { listKinds, type ListKind, type Listing, type Offer } from '../mcp/preview/offer.ts';
import { previewOf, type ServerPreview } from '../mcp/preview/preview.ts';
import type { HelperRequests } from '../protocol/control.ts';
import { HttpServer } from '../upstream/httpServer.ts';
import type { ProcessGuardian } from '../upstream/processGuardian.ts';
import { StdioUpstream } from '../upstream/stdioUpstream.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Admission } from './admission.ts';
import type { AuditNotes } from './auditNotes.ts';
import { declaredSecrets } from './declaredSecrets.ts';
import { hideIn, hider, type Hide } from './hideSecrets.ts';
import type { CachedOffer, PreviewCache } from './previewCache.ts';
import type { ResolvedServer, ServerResolver } from './serverResolver.ts';

/** Servers asked at the same time; one more is refused with `LIMIT`. */
export const maxAsked = 8;
/** Last lines of stderr that an error carries. */
const stderrLines = 20;
/** Longest line of a server: a list is one, and there is no use in one that is too long to be looked at. */
const maxLineBytes = 8 * 1024 * 1024;

export type PreviewsOptions = {
  servers: Pick<ServerResolver, 'resolve' | 'secretAnswers'>;
  admission: Pick<Admission, 'admit'>;
  /** Told before a server hears of it. */
  notes: Pick<AuditNotes, 'preview'>;
  cache: PreviewCache;
  guardian: ProcessGuardian;
  clock: Clock;
  log: (message: string) => void;
};

/** One question for all who want to know at the same time; it ends when none of them waits any more. */
type Asking = { done: Promise<CachedOffer>; stop: AbortController; waiting: number };

export class Previews {
  readonly #options: PreviewsOptions;
  /** By server and definition. */
  readonly #asking = new Map<string, Asking>();
  readonly #closing = new AbortController();

  constructor(options: PreviewsOptions) {
    this.#options = options;
  }

  /** Throws as a tunnel to the server would, or `UPSTREAM_*` with the server's last words in `data.stderr`. */
  async preview(
    { server: wanted, consent, refresh = false }: HelperRequests['servers/preview']['params'],
    signal: AbortSignal,
  ): Promise<ServerPreview> {
    const { servers, admission, cache } = this.#options;
    const server = await servers.resolve(wanted);
    const { transport, hash = digestOf(server) } = await admission.admit(server, consent);
    const known = await cache.find(server.id);
    const isNew = refresh || known?.hash !== hash;
    const cached = isNew || !known ? await this.#shared(server, transport, hash, signal) : known;
    const { takenMs, offer, earlier } = cached;
    const others = await cache.others(server.id);
    return previewOf({ name: server.name, takenMs, offer, ...(earlier ? { earlier } : {}), others });
  }

  /** Ends what is being asked, and waits for it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#asking.values()].map(({ done }) => done));
  }

  async #shared(
    server: ResolvedServer,
    transport: ServerTransport,
    hash: string,
    signal: AbortSignal,
  ): Promise<CachedOffer> {
    signal.throwIfAborted();
    const key = `${server.id} ${hash}`;
    const asking = this.#asking.get(key) ?? this.#begin(key, server, transport, hash);
    asking.waiting += 1;
    const leave = (): void => {
      asking.waiting -= 1;
      if (asking.waiting > 0) return;
      if (this.#asking.get(key) === asking) this.#asking.delete(key); // Who comes now is not to hear that it was ended.
      asking.stop.abort();
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await asking.done;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #begin(key: string, server: ResolvedServer, transport: ServerTransport, hash: string): Asking {
    if (this.#closing.signal.aborted) throw new TunnelError('CLOSED', 'the helper is ending');
    if (this.#asking.size >= maxAsked) {
      throw new TunnelError('LIMIT', `at most ${maxAsked} servers are asked at once; try again`, { retryable: true });
    }
    const stop = new AbortController();
    const either = AbortSignal.any([stop.signal, this.#closing.signal]);
    const asking: Asking = { done: this.#ask(server, transport, hash, either), stop, waiting: 0 };
    this.#asking.set(key, asking);
    const forget = (): void => {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    };
    asking.done.then(forget, forget);
    return asking;
  }

  async #ask(
    { id, name }: ResolvedServer,
    transport: ServerTransport,
    hash: string,
    signal: AbortSignal,
  ): Promise<CachedOffer> {
    const { servers, notes, cache, clock, log } = this.#options;
    await notes.preview(name, hash);
    const upstream = this.#upstream(transport);
    const hide = hider([...declaredSecrets(transport), ...servers.secretAnswers()]);
    const stderr: string[] = [];
    let exit: string | undefined;
    upstream.onEvent((event) => {
      if (event.kind === 'stderr' && stderr.push(event.line) > stderrLines) stderr.shift();
      if (event.kind === 'exited') exit = event.signal ?? `exit code ${event.code}`;
    });
    let offer: Offer;
    try {
      offer = await askOffer(upstream, clock, signal);
      if (offer.tools.kind === 'failed' && exit !== undefined) {
        throw new TunnelError('UPSTREAM_EXITED', `the server ended (${exit}) while it was asked for its tools`);
      }
    } catch (error) {
      throw withLastWords(error, stderr, hide);
    } finally {
      await upstream.close();
    }
    const taken = { id, name, hash, takenMs: clock.now(), offer: hiddenIn(offer, hide) };
    if (offer.tools.kind === 'failed') return taken; // Nothing to remember: next time it may have some.
    const { cached, written } = await cache.put(taken);
    await written.catch((error: unknown) => log(`a preview could not be kept: ${errorInfo(error).message}`));
    return cached;
  }

  /** Without a bridge between the eras: it is asked in its own. One that ends is not started again. */
  #upstream(transport: ServerTransport): Upstream {
    const { clock, guardian } = this.#options;
    if (transport.kind === 'http') return new HttpServer({ url: transport.url, headers: transport.headers, clock });
    const { command, args, env, cwd } = transport;
    return new StdioUpstream({ command, args, env, cwd, clock, guardian, limits: { maxRestarts: 0, maxLineBytes } });
  }
}

/** Of a server that was given whole, and so has no launch plan that anybody agreed to. */
function digestOf({ name, transport }: ResolvedServer): string {
  return createHash('sha256')
    .update(JSON.stringify([name, transport]))
    .digest('hex');
}

/** What a server said, without the secrets that it was given. */
function hiddenIn({ era, revision, server, instructions, ...lists }: Offer, hide: Hide): Offer {
  const hidden = listKinds.map((kind) => [kind, hiddenInList(lists[kind], hide)]);
  return {
    era,
    revision: hide(revision),
    ...(server ? { server: { name: hide(server.name), version: hide(server.version) } } : {}),
    ...(instructions === undefined ? {} : { instructions: hide(instructions) }),
    ...(Object.fromEntries(hidden) as Record<ListKind, Listing>),
  };
}

function hiddenInList(list: Listing, hide: Hide): Listing {
  if (list.kind === 'failed') return { ...list, reason: hide(list.reason) };
  if (list.kind === 'absent') return list;
  const items = list.items.map(({ name, definition, ...rest }) => {
    return { name: hide(name), definition: hideIn(definition, hide), ...rest };
  });
  return { ...list, items };
}

function withLastWords(error: unknown, stderr: readonly string[], hide: Hide): TunnelError {
  const { code, message, retryable, data = {} } = errorInfo(error);
  const own = Array.isArray(data['stderr']) ? data['stderr'].filter((line) => typeof line === 'string') : [];
  const lines = (own.length > 0 ? own : stderr).map(hide);
  return new TunnelError(code, hide(message), {
    cause: error,
    retryable,
    data: { ...data, ...(lines.length > 0 ? { stderr: lines } : {}) },
  });
}
