// Asks the server itself for its tools, for its owner who writes rules.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { failed } from '../mcp/failures.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Asker, refusalIn, type Greeting } from './asker.ts';
import { maxTools } from './toolCatalogue.ts';

/** All pages together; a server that needs longer has failed to answer. */
export const askTimeoutMs = 10_000;
/** Pages asked for; what a server still has behind them is left out. */
export const maxPages = 100;

export type ListedTool = JsonObject & { name: string };

/** `hasPrompts`: the server says that it has prompts, or nobody knows. */
export type ServerTools = { tools: ListedTool[]; hasPrompts: boolean };

/** Throws `UPSTREAM_*`, or `CANCELLED` when `signal` is aborted. */
export async function askTools(upstream: Upstream, clock: Clock, signal: AbortSignal): Promise<ServerTools> {
  const late = new AbortController();
  const timer = clock.after(askTimeoutMs, () => late.abort());
  const asker = new Asker({ upstream, signal: AbortSignal.any([signal, late.signal]) });
  try {
    const greeting = await asker.begin();
    return { tools: await allTools(asker), hasPrompts: mayHavePrompts(greeting) };
  } catch (error) {
    if (signal.aborted) throw new TunnelError('CANCELLED', 'the tunnel was closed while its server was asked');
    if (!late.signal.aborted) throw error;
    throw failed('ANSWER_TIMEOUT', `the server did not list its tools within ${askTimeoutMs / 1_000} s`, error);
  } finally {
    timer.cancel();
    await asker.end(clock);
  }
}

function mayHavePrompts({ result }: Greeting): boolean {
  if (!result) return true;
  const capabilities = result['capabilities'];
  return isJsonObject(capabilities) && capabilities['prompts'] !== undefined;
}

async function allTools(asker: Asker): Promise<ListedTool[]> {
  const tools: ListedTool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages && tools.length < maxTools; page += 1) {
    const answered = await asker.request('tools/list', cursor === undefined ? {} : { cursor });
    const { result } = answered.answer ?? {};
    if (!isJsonObject(result)) {
      throw failed('NOT_MCP', `the server did not list its tools: ${refusalIn(answered)}`);
    }
    const listed = result['tools'];
    if (!Array.isArray(listed)) throw failed('NOT_MCP', 'the server answered tools/list without a list of tools');
    tools.push(...listed.filter((tool): tool is ListedTool => isJsonObject(tool) && typeof tool['name'] === 'string'));
    const next = result['nextCursor'];
    if (typeof next !== 'string') break;
    cursor = next;
  }
  return tools.slice(0, maxTools);
}
