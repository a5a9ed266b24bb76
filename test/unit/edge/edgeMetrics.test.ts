import { describe, expect, it, onTestFinished } from 'vitest';
import { makeEdgeCounters } from '../../../src/edge/edgeCounters.ts';
import { edgeMetrics, type EdgeFigures } from '../../../src/edge/edgeMetrics.ts';
import { EventLoopLag } from '../../../src/edge/processMetrics.ts';
import { samplesOf } from '../../support/promtool.ts';

function figures(): EdgeFigures {
  return {
    counters: makeEdgeCounters(),
    links: 4,
    connectors: 1,
    routes: 1,
    visitors: 3,
    heldBytes: 1000,
    bytesToConnectors: 5,
    bytesToVisitors: 7,
    isReady: true,
    isDraining: false,
    unspentTokens: 2,
    certificateExpiresMs: Date.UTC(2026, 5, 1),
    reloads: { succeeded: 1, failed: 2, lastFailed: true },
  };
}

function somebodysMetrics(now = figures()) {
  const lag = new EventLoopLag();
  onTestFinished(() => lag.close());
  return { now, metrics: edgeMetrics(() => now, '1.2.3', lag) };
}

describe('the metrics of an edge', () => {
  it('have every counter once: as itself, or as a reason to be turned away', async () => {
    const { now, metrics } = somebodysMetrics();
    const names = Object.keys(now.counters) as (keyof typeof now.counters)[];
    for (const [index, name] of names.entries()) now.counters[name] = 90_000 + index;
    const values = [...samplesOf(await metrics.print())].filter(([name]) => name.startsWith('mcp_tunnel_edge_'));
    for (const [index] of names.entries()) {
      expect(values.filter(([, value]) => value === 90_000 + index)).toHaveLength(1);
    }
    now.counters.noRoute = 5000;
    const later = samplesOf(await metrics.print());
    expect(later.get('mcp_tunnel_edge_turned_away_total{reason="no_route"}')).toBe(5000);
  });

  it('say how the edge is now', async () => {
    const samples = samplesOf(await somebodysMetrics().metrics.print());
    expect(Object.fromEntries(samples)).toMatchObject({
      mcp_tunnel_edge_links: 4,
      mcp_tunnel_edge_open_visitors: 3,
      'mcp_tunnel_edge_relayed_bytes_total{direction="to_connector"}': 5,
      'mcp_tunnel_edge_relayed_bytes_total{direction="to_visitor"}': 7,
      mcp_tunnel_edge_config_reload_failed: 1,
      'mcp_tunnel_edge_config_reloads_total{result="failed"}': 2,
      mcp_tunnel_edge_certificate_expiry_timestamp_seconds: Date.UTC(2026, 5, 1) / 1000,
      mcp_tunnel_edge_ready: 1,
      [`mcp_tunnel_edge_build_info{version="1.2.3",node="${process.versions.node}"}`]: 1,
    });
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  it('have as many series at the end as at the beginning', async () => {
    const { now, metrics } = somebodysMetrics();
    const before = samplesOf(await metrics.print()).size;
    now.counters.connections = 1e9;
    now.visitors = 1e6;
    expect(samplesOf(await metrics.print()).size).toBe(before);
  });
});
