import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../src/core/json.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import {
  acknowledgement,
  asHeardBy,
  honouredFilter,
  listenLimits,
  type Listener,
} from '../../../../src/upstream/eras/changeListeners.ts';
import { ModernOutlet } from '../../../../src/upstream/eras/modernOutlet.ts';

const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };

function aListener(notifications: JsonObject, has: JsonObject = capabilities): Listener {
  const outlet = new ModernOutlet({ clock: systemClock, signal: new AbortController().signal, onLeft: () => {} });
  return { id: '"sub-1"', filter: honouredFilter({ notifications }, has)!, outlet };
}

function hears(listener: Listener, message: { method: string; params?: JsonObject }): unknown {
  const text = JSON.stringify({ jsonrpc: '2.0', ...message });
  const heard = asHeardBy(listener, text, JSON.parse(text) as JsonObject);
  return heard === undefined ? undefined : (JSON.parse(heard) as unknown);
}

describe('a listen stream fed by a legacy session', () => {
  it('is promised what the server announces, and nothing else', () => {
    const listener = aListener({ toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['a://b'] });
    expect(JSON.parse(acknowledgement(listener))).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ['a://b'] },
        _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub-1' },
      },
    });
  });

  it('hears of the resources it named, with its own id, and of no others', () => {
    const listener = aListener({ resourceSubscriptions: ['a://b'] });
    expect(hears(listener, { method: 'notifications/resources/updated', params: { uri: 'a://b', more: 1 } })).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri: 'a://b', more: 1, _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub-1' } },
    });
    expect(hears(listener, { method: 'notifications/resources/updated', params: { uri: 'a://bc' } })).toBeUndefined();
    expect(hears(listener, { method: 'notifications/resources/updated' })).toBeUndefined();
    expect(hears(listener, { method: 'notifications/tools/list_changed' })).toBeUndefined();
    expect(hears(listener, { method: 'notifications/message', params: { uri: 'a://b' } })).toBeUndefined();
  });

  it.each([
    ['nothing', undefined],
    ['no list', { resourceSubscriptions: 'a://b' }],
    ['a number', { resourceSubscriptions: [1] }],
    [
      'too many',
      { resourceSubscriptions: Array.from({ length: listenLimits.maxResources + 1 }, (_, at) => `a://${at}`) },
    ],
  ])('is not opened for %s', (_what, notifications) => {
    expect(honouredFilter(notifications && { notifications }, capabilities)).toBeUndefined();
  });
});
