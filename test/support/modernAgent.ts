// An agent of the modern era (2026-07-28): every request says all there is to know, in its body and its headers.
import { metaKey, modernRevision } from '../../src/mcp/revisions.ts';
import { modernHeaders } from '../../src/upstream/eras/modernHeaders.ts';
import type { UpstreamResponse } from '../../src/upstream/upstream.ts';
import { answerOf, bodyOf, type Answer, type World } from './stdioWorld.ts';

export type ModernAgent = {
  /** Opens a call; its answer is read by the test. */
  send: (id: string | number, method: string, params?: object, signal?: AbortSignal) => Promise<UpstreamResponse>;
  post: (id: string | number, method: string, params?: object) => Promise<Answer>;
  notify: (method: string, params: object) => Promise<UpstreamResponse>;
};

export function modernAgent(world: World, principal: string): ModernAgent {
  const send: ModernAgent['send'] = (id, method, params, signal) => {
    const body = bodyOf(modernRequest(id, method, params));
    return world.open({
      ...body,
      era: 'modern',
      principal,
      headers: modernHeaders(method, params as never),
      ...(signal ? { signal } : {}),
    });
  };
  return {
    send,
    post: async (id, method, params) => answerOf(await send(id, method, params)),
    notify: (method, params) =>
      world.open({
        ...bodyOf({ jsonrpc: '2.0', method, params }),
        era: 'modern',
        principal,
        headers: { 'mcp-protocol-version': modernRevision, 'mcp-method': method },
      }),
  };
}

/** `_meta` of `params` is kept. */
export function modernRequest(id: string | number, method: string, params: { _meta?: object } = {}): object {
  const _meta = { [metaKey.protocolVersion]: modernRevision, [metaKey.clientCapabilities]: {}, ...params._meta };
  return { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
}
