// Asks a server for everything that it offers, for its owner who looks before exposing it. One list that fails takes no
// other along; a server that never comes to an end is cut off.
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { failed } from '../mcp/failures.ts';
import {
  listed,
  listKinds,
  type ListCut,
  type Listed,
  type ListKind,
  type Listing,
  type Offer,
} from '../mcp/preview/offer.ts';
import { metaKey } from '../mcp/revisions.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Asker, refusalIn, type Greeting } from './asker.ts';

export const offerLimits = {
  /** Of each list; what a server still has behind them is left out, and that is said. */
  maxPages: 100,
  /** Of each list, for the same reason. */
  maxItems: 2_000,
  /** Of all answers together; the list that exceeds it has failed. */
  maxBytes: 4 * 1024 * 1024,
  /** Of the start and all lists together. A list that is not there by then has failed; without any, so has the question. */
  timeoutMs: 40_000,
  /** Characters of the server's instructions. */
  maxInstructions: 20_000,
};

const methods: Record<ListKind, { method: string; member: string; capability: string }> = {
  tools: { method: 'tools/list', member: 'tools', capability: 'tools' },
  prompts: { method: 'prompts/list', member: 'prompts', capability: 'prompts' },
  resources: { method: 'resources/list', member: 'resources', capability: 'resources' },
  templates: { method: 'resources/templates/list', member: 'resourceTemplates', capability: 'resources' },
};

/** Throws `UPSTREAM_*` for a server that could not be asked at all, `CANCELLED` when `signal` is aborted. */
export async function askOffer(upstream: Upstream, clock: Clock, signal: AbortSignal): Promise<Offer> {
  const late = new AbortController();
  const timer = clock.after(offerLimits.timeoutMs, () => late.abort());
  const either = AbortSignal.any([signal, late.signal]);
  const asker = new Asker({ upstream, signal: either, maxTotalBytes: offerLimits.maxBytes });
  try {
    const greeting = await greet(asker);
    const lists: Partial<Record<ListKind, Listing>> = {};
    for (const kind of listKinds) lists[kind] = await list(asker, kind, greeting, either);
    if (signal.aborted) throw new TunnelError('CANCELLED', 'nobody waits for what the server offers');
    const { tools } = lists;
    if (late.signal.aborted && tools?.kind === 'failed') throw tooLate();
    return { ...about(greeting), ...(lists as Record<ListKind, Listing>) };
  } catch (error) {
    if (signal.aborted) throw new TunnelError('CANCELLED', 'nobody waits for what the server offers', { cause: error });
    throw late.signal.aborted ? tooLate(error) : error;
  } finally {
    timer.cancel();
    await asker.end(clock);
  }
}

function tooLate(cause?: unknown): TunnelError {
  return failed('ANSWER_TIMEOUT', `the server did not list its tools within ${offerLimits.timeoutMs / 1_000} s`, cause);
}

/** `server/discover` says of a modern server what `initialize` says of the others. */
async function greet(asker: Asker): Promise<Greeting> {
  const greeting = await asker.begin();
  if (greeting.era === 'legacy') return greeting;
  const answered = await asker.request('server/discover', {});
  const { result } = answered.answer ?? {};
  if (isJsonObject(result) && Array.isArray(result['supportedVersions'])) return { ...greeting, result };
  throw failed('NOT_MCP', `the server takes neither initialize nor server/discover: ${refusalIn(answered)}`);
}

function about({ era, revision, result = {} }: Greeting): Pick<Offer, 'era' | 'revision' | 'server' | 'instructions'> {
  const meta = result['_meta'];
  const server = result['serverInfo'] ?? (isJsonObject(meta) ? meta[metaKey.serverInfo] : undefined);
  const { name, version } = isJsonObject(server) ? server : {};
  const instructions = result['instructions'];
  return {
    era,
    revision: revision.slice(0, 40),
    ...(typeof name === 'string'
      ? { server: { name: name.slice(0, 200), version: typeof version === 'string' ? version.slice(0, 100) : '' } }
      : {}),
    ...(typeof instructions === 'string' && instructions !== ''
      ? { instructions: instructions.slice(0, offerLimits.maxInstructions) }
      : {}),
  };
}

async function list(asker: Asker, kind: ListKind, { result }: Greeting, signal: AbortSignal): Promise<Listing> {
  const { method, member, capability } = methods[kind];
  const capabilities = result?.['capabilities'];
  // What it does not promise, its clients do not ask for; tools are asked for all the same, as some clients do.
  if (kind !== 'tools' && isJsonObject(capabilities) && capabilities[capability] === undefined)
    return { kind: 'absent' };
  if (signal.aborted) return { kind: 'failed', reason: 'there was no time left to ask for it' };
  try {
    return await pages(asker, method, member);
  } catch (error) {
    const reason = signal.aborted ? 'it did not come in time' : errorInfo(error).message;
    return { kind: 'failed', reason };
  }
}

const METHOD_NOT_FOUND = -32601;

async function pages(asker: Asker, method: string, member: string): Promise<Listing> {
  const items: Listed[] = [];
  const seen = new Set<string>();
  let params: JsonObject = {};
  for (let page = 0; page < offerLimits.maxPages; page += 1) {
    const answered = await asker.request(method, params);
    const { result, error } = answered.answer ?? {};
    if (!isJsonObject(result)) {
      if (isJsonObject(error) && error['code'] === METHOD_NOT_FOUND && page === 0) return { kind: 'absent' };
      return { kind: 'failed', reason: `the server did not answer ${method}: ${refusalIn(answered)}` };
    }
    const found = result[member];
    if (!Array.isArray(found)) return { kind: 'failed', reason: `the server answered ${method} without “${member}”` };
    for (const one of found) {
      const item = isJsonObject(one) ? listed(one) : undefined;
      if (item) items.push(item);
      if (items.length >= offerLimits.maxItems) return cutOff(items, 'items');
    }
    const next = result['nextCursor'];
    if (typeof next !== 'string') return { kind: 'listed', items };
    if (seen.has(next)) return cutOff(items, 'same-cursor');
    seen.add(next);
    params = { cursor: next };
  }
  return cutOff(items, 'pages');
}

function cutOff(items: Listed[], cut: ListCut): Listing {
  return { kind: 'listed', items, cut };
}
