import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serveHealth, type Health } from '../../src/cli/healthServer.ts';
import { TunnelMetrics } from '../../src/cli/tunnelMetrics.ts';
import { makeEdgeCounters } from '../../src/edge/edgeCounters.ts';
import { edgeMetrics } from '../../src/edge/edgeMetrics.ts';
import { EventLoopLag } from '../../src/edge/processMetrics.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { promtoolSays } from '../support/promtool.ts';

type Asked = { path?: string; method?: string; host?: string };

async function pages(readiness: () => Health = () => ({ status: 200, body: { ready: true } })) {
  const metrics = { contentType: 'text/plain; version=0.0.4', print: async () => 'up 1\n' };
  const server = await serveHealth({ host: '127.0.0.1', port: 0 }, { readiness, metrics });
  onTestFinished(() => server.close());
  const ask = async ({ path = '/readyz', method = 'GET', host }: Asked = {}) => {
    const asked = request({
      port: server.port,
      host: '127.0.0.1',
      path,
      method,
      agent: false,
      ...(host === undefined ? {} : { headers: { host } }),
    });
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      asked.once('response', resolve).once('error', reject).end(),
    );
    return { status: response.statusCode, type: response.headers['content-type'], text: await text(response) };
  };
  return { ask, port: server.port };
}

describe('the pages of --health', () => {
  it('tell that the process is alive and how late its event loop is, whether it is ready, and what it counts', async () => {
    expectNothingLeft();
    let ready = false;
    const { ask } = await pages(() => ({ status: ready ? 200 : 503, body: { ready } }));
    expect(await ask({ path: '/healthz' })).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^\{"alive":true,"eventLoopLagMs":\d+\}\n$/) as unknown,
    });
    expect(await ask({ path: '/readyz' })).toMatchObject({ status: 503, text: '{"ready":false}\n' });
    ready = true;
    expect(await ask({ path: '/readyz?verbose' })).toMatchObject({ status: 200 });
    expect(await ask({ path: '/metrics' })).toEqual({ status: 200, type: 'text/plain; version=0.0.4', text: 'up 1\n' });
    expect(await ask({ path: '/' })).toMatchObject({ status: 404 });
    expect(await ask({ path: '/../metrics' })).toMatchObject({ status: 404 });
  });

  it('answer to addresses and localhost, and to no name that a page in a browser could have made lead here', async () => {
    expectNothingLeft();
    const { ask, port } = await pages();
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, 'localhost', `LOCALHOST:${port}`, '[::1]:9', '10.1.2.3:80'])
      expect([host, (await ask({ host })).status]).toEqual([host, 200]);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'localhost:x',
    ])
      expect([host, (await ask({ host })).status]).toEqual([host, 421]);
  });

  it('are read and nothing else', async () => {
    expectNothingLeft();
    const { ask } = await pages();
    expect(await ask({ method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect(await ask({ method })).toMatchObject({ status: 405 });
  });

  it('stay answerable beside those who connect and say nothing', async () => {
    expectNothingLeft();
    const { ask, port } = await pages();
    const silent = Array.from({ length: 40 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => silent.forEach((socket) => socket.destroy()));
    expect(await ask()).toMatchObject({ status: 200 });
  });

  it('say so when they cannot be made, and end', async () => {
    expectNothingLeft();
    const { ask } = await pages(() => {
      throw new Error('no');
    });
    expect(await ask()).toMatchObject({ status: 500 });
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    'are not served at %s, which others can reach',
    async (host) => {
      const refused = serveHealth({ host, port: 0 }, {} as never);
      await expect(refused).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining('loopback') as unknown,
      });
    },
  );
});

describe('the metrics of edge and tunnel', () => {
  it('are without fault in the eyes of promtool', async () => {
    const lag = new EventLoopLag();
    onTestFinished(() => lag.close());
    const figures = {
      counters: makeEdgeCounters(),
      links: 0,
      connectors: 0,
      routes: 0,
      visitors: 0,
      heldBytes: 0,
      bytesToConnectors: 0,
      bytesToVisitors: 0,
      isReady: true,
      isDraining: false,
      unspentTokens: 0,
      certificateExpiresMs: 0,
      reloads: { succeeded: 0, failed: 0, lastFailed: false },
    };
    expect(await promtoolSays(await edgeMetrics(() => figures, '1', lag).print())).toBe('');

    const tunnel = new TunnelMetrics({
      tunnel: () => undefined,
      open: () => 0,
      isReady: () => false,
      version: '1',
      lag,
    });
    tunnel.see({ id: 'a', kind: 'request', status: 'ok', requestBytes: 1, responseBytes: 1, latencyMs: 1 } as never);
    expect(await promtoolSays(await tunnel.print())).toBe('');
    expect(await promtoolSays('latency_ms 1\n')).not.toBe('');
  });
});
