import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelMetrics } from '../../../src/cli/tunnelMetrics.ts';
import { EventLoopLag } from '../../../src/edge/processMetrics.ts';
import type { ExchangeRow } from '../../../src/mcp/exchange.ts';
import type { TunnelInfo } from '../../../src/protocol/control.ts';
import { samplesOf } from '../../support/promtool.ts';

const row = (change: Partial<ExchangeRow>): ExchangeRow =>
  ({
    id: 'a',
    kind: 'request',
    status: 'ok',
    requestBytes: 100,
    responseBytes: 200,
    latencyMs: 20,
    ...change,
  }) as ExchangeRow;

function metricsOf(tunnel?: Partial<TunnelInfo>) {
  const lag = new EventLoopLag();
  onTestFinished(() => lag.close());
  return new TunnelMetrics({
    tunnel: () => tunnel as TunnelInfo,
    open: () => 3,
    isReady: () => false,
    version: '1',
    lag,
  });
}

describe('the metrics of a headless tunnel', () => {
  it('count each exchange once, when it is over', async () => {
    const metrics = metricsOf();
    metrics.see(row({ status: 'pending' }));
    metrics.see(row({}));
    metrics.see(row({}));
    metrics.see(row({ id: 'b', status: 'tool-error' }));
    metrics.see(row({ id: 'c', status: 'denied', stranger: true }));
    const samples = samplesOf(await metrics.print());
    expect(Object.fromEntries(samples)).toMatchObject({
      'mcp_tunnel_connector_exchanges_total{status="ok"}': 1,
      'mcp_tunnel_connector_exchanges_total{status="tool_error"}': 1,
      mcp_tunnel_connector_strangers_total: 1,
      'mcp_tunnel_connector_exchanged_bytes_total{direction="request"}': 200,
      mcp_tunnel_connector_exchange_duration_seconds_count: 2,
      'mcp_tunnel_connector_exchange_duration_seconds_bucket{le="0.025"}': 2,
    });
  });

  it('tell what is known of the tunnel, and nothing of what is not', async () => {
    const state = { kind: 'connected', sinceMs: 1 } as const;
    const certificate = { kind: 'local', expiresMs: 5_000_000 } as const;
    const known = samplesOf(
      await metricsOf({ state, certificate, links: { up: 3, wanted: 4 }, lastExchangeMs: 3000 }).print(),
    );
    expect(Object.fromEntries(known)).toMatchObject({
      'mcp_tunnel_connector_state{state="connected"}': 1,
      'mcp_tunnel_connector_state{state="waiting"}': 0,
      mcp_tunnel_connector_links: 3,
      mcp_tunnel_connector_wanted_links: 4,
      mcp_tunnel_connector_last_exchange_timestamp_seconds: 3,
      mcp_tunnel_connector_certificate_expiry_timestamp_seconds: 5000,
      mcp_tunnel_connector_open_exchanges: 3,
    });
    const unknown = samplesOf(await metricsOf().print());
    expect(unknown.has('mcp_tunnel_connector_last_exchange_timestamp_seconds')).toBe(false);
  });

  it('make no series of words that strangers choose', async () => {
    const metrics = metricsOf();
    metrics.see(row({ id: '0' }));
    const before = samplesOf(await metrics.print()).size;
    for (let n = 1; n < 500; n += 1)
      metrics.see(row({ id: `${n}`, agent: `agent ${n}`, method: `tools/call${n}`, name: `tool ${n}` }));
    expect(samplesOf(await metrics.print()).size).toBe(before);
  });
});
