import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { sseAnswer } from '../../../src/upstream/answers.ts';
import { bridgeQueueBytes, SseBridge } from '../../../src/upstream/sseBridge.ts';
import type { Upstream, UpstreamRequest } from '../../../src/upstream/upstream.ts';
import { bodyOf } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

it('a slow reader of the old transport costs nothing that stays, however often it makes the server wait', async () => {
  const answer = new PassThrough();
  const server: Upstream = {
    kind: 'http',
    check: async () => undefined,
    forward: async () => sseAnswer(answer),
    onEvent: () => () => undefined,
    close: async () => undefined,
  };
  const asking: UpstreamRequest = {
    method: 'POST',
    headers: {},
    ...bodyOf({ jsonrpc: '2.0', id: 1, method: 'tools/call' }),
    era: 'legacy',
    principal: 'g_1',
    signal: new AbortController().signal,
  };
  const bridge = new SseBridge(server, asking);
  onTestFinished(() => bridge.end());
  await bridge.post(asking);
  const listeners = (): number => bridge.stream.listenerCount('close') + bridge.stream.listenerCount('drain');
  let seen = 0;
  for (let times = 1; times <= 12; times += 1) {
    answer.write(`data: {"pad":"${'x'.repeat(bridgeQueueBytes)}"}\n\n`);
    await until(() => bridge.stream.writableNeedDrain);
    bridge.stream.resume();
    await until(() => !bridge.stream.writableNeedDrain);
    bridge.stream.pause();
    if (times === 1) seen = listeners();
  }
  expect(listeners()).toBeLessThanOrEqual(seen + 1);
});
