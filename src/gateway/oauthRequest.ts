// A request to one of the paths by which agents ask to be let in. The tunnel answers it itself: no upstream hears of it,
// and of what passes (codes, tokens, secrets) the inspector is shown the path and the status alone.
import { once } from 'node:events';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { OAuthRoutes } from './arrivalCheck.ts';
import type { Exchange } from './exchange.ts';
import type { HttpRequest } from './http.ts';
import { shownTarget } from './secretPath.ts';

export async function serveOAuth(exchange: Exchange, door: OAuthDoor, what: string): Promise<void> {
  const { request, response, recorder, arrival } = exchange;
  recorder.update({ method: what });
  await door.serve(request, response, arrival.visitor);
  if (!response.writableEnded && !response.destroyed) await once(response, 'close');
  if (exchange.cut !== undefined) return recorder.finish({ status: 'cancelled', reason: exchange.cut });
  const { statusCode } = response;
  recorder.response(statusCode, [['content-type', String(response.getHeader('content-type') ?? '')]]);
  recorder.finish({ status: statusCode < 400 ? 'ok' : 'denied' });
}

/** A query to these paths holds what belongs to one agent alone, and so may any path. */
export function recordedPath({ url = '' }: HttpRequest, oauth: OAuthRoutes | undefined): string {
  const [path = ''] = url.split('?', 1);
  return oauth?.route(path) ? path : shownTarget(url);
}
