// All that is known of an exchange beside its row: what may be moved out of memory, and what is left where it was lost.
import type { Whole } from '../core/present.ts';
import type { CapturedMessage, ExchangeDetail, Timings } from '../mcp/exchange.ts';

export type ExchangeContent = Omit<ExchangeDetail, 'row'>;

/** What was captured, as texts. */
export function contentTexts(content: {
  request?: CapturedMessage | undefined;
  messages: readonly CapturedMessage[];
  translated?: readonly CapturedMessage[] | undefined;
}): string[] {
  const { request, messages, translated } = content;
  return [...(request ? [request] : []), ...messages, ...(translated ?? [])].map(({ text }) => text);
}

export const noTimings: Whole<Timings> = {
  bodyReadMs: undefined,
  decidedMs: undefined,
  auditedMs: undefined,
  upstreamFirstByteMs: undefined,
  finishedMs: undefined,
};

/** Of an exchange of which nothing but its row is held. */
export const noContent: Whole<Omit<ExchangeContent, 'timings'>> = {
  httpMethod: '',
  path: '',
  visitor: undefined,
  principal: undefined,
  rule: undefined,
  requestHeaders: [],
  responseHeaders: [],
  request: undefined,
  messages: [],
  translated: undefined,
};
