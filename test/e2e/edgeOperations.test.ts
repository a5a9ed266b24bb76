// An edge as it is operated: settings in a file, signals, pages for a supervisor, lines for a collector of logs.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { everything, runCommand, startCommand, type Ready, type RunningCommand } from '../support/command.ts';
import { promtoolSays, samplesOf } from '../support/promtool.ts';
import { connectSdkAgent } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const domain = 'edge.localhost';
type Edge = { running: RunningCommand; folder: string; config: string; port: number; health: string; pin: string };

/** `listen` is that of an edge before. */
async function startEdge(settings = '', words: string[] = [], before?: Edge): Promise<Edge> {
  const folder = before?.folder ?? (await temporaryFolder());
  const config = join(folder, 'edge.yaml');
  const listen = `127.0.0.1:${before?.port ?? 0}`;
  await writeFile(config, `domain: ${domain}\nlisten: ${listen}\ndata: data\nhealth: 127.0.0.1:0\n${settings}`);
  const run = ['edge', 'run', '--json', '--config', config, '--log', 'json', ...words];
  const running = startCommand(run, { home: folder, cwd: '/' });
  const ready = await running.line('ready');
  const port = Number(String(ready['address']).split(':').at(-1));
  const health = `http://127.0.0.1:${String(ready['health'])}`;
  return { running, folder, config, port, health, pin: String(ready['pin']) };
}

/** Everything on stderr is a line of the log, each one JSON object. */
function logOf({ running }: Edge): Record<string, unknown>[] {
  const whole = running.stderr.slice(0, running.stderr.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const logged = (edge: Edge, event: string) => logOf(edge).filter((line) => line['event'] === event);

async function metricsOf({ health }: Edge): Promise<Map<string, number>> {
  const page = await (await fetch(`${health}/metrics`)).text();
  expect(await promtoolSays(page)).toBe('');
  return samplesOf(page);
}

async function exposeThrough({
  folder,
  port,
  pin,
}: Edge): Promise<{ home: string; running: RunningCommand; ready: Ready }> {
  const home = await temporaryFolder();
  const place = `${domain}:${port}`;
  const done = async (words: string[], of: string, input = '') => {
    const { code, stderr, lines } = await runCommand([...words, '--json'], { home: of, input });
    expect(code, stderr).toBe(0);
    return lines;
  };
  await done(['allow', 'add', 'edge', place], home);
  const [minted] = await done(['edge', 'token', '--data', join(folder, 'data')], folder);
  await done(['enroll', place, '--token-file', '-', '--pin', pin], home, String(minted?.['token']));
  const words = ['expose', '--json', '--carrier', 'edge', '--edge', place, '--name', 'files', '--', ...everything];
  const running = startCommand(words, { home });
  return { home, running, ready: (await running.line('ready')) as unknown as Ready };
}

describe('an edge in operation', () => {
  it('runs by its file, says how it is, and counts without a name of anybody', async () => {
    const edge = await startEdge('limits:\n  helloMs: 1000\n');
    const { ready, home } = await exposeThrough(edge);
    const { client, close } = await connectSdkAgent(ready);
    await client.callTool({ name: 'echo', arguments: { message: 'a secret message' } });

    const status = await runCommand(['edge', 'status', '--json', '--data', join(edge.folder, 'data')], {
      home: edge.folder,
    });
    expect(status).toMatchObject({ code: 0, lines: [{ event: 'status', ready: true, draining: false, routes: 1 }] });
    const routes = await runCommand(['edge', 'routes', '--data', join(edge.folder, 'data')], { home: edge.folder });
    expect(routes.stdout).toMatch(/files\.edge\.localhost +[0-9a-f]{24} +served for \d+s, \d links?, \d visitors?/);
    expect(await (await fetch(`${edge.health}/readyz`)).json()).toEqual({
      ready: true,
      listening: true,
      draining: false,
      state: 'readable',
    });
    const metrics = await metricsOf(edge);
    expect(Object.fromEntries(metrics)).toMatchObject({
      mcp_tunnel_edge_routes: 1,
      mcp_tunnel_edge_connectors: 1,
      mcp_tunnel_edge_ready: 1,
      mcp_tunnel_edge_unspent_tokens: 0,
      mcp_tunnel_edge_config_reload_failed: 0,
    });
    expect(metrics.get('mcp_tunnel_edge_links')).toBeGreaterThan(0);
    expect(metrics.get('mcp_tunnel_edge_relayed_bytes_total{direction="to_visitor"}')).toBeGreaterThan(1000);
    expect([...metrics.keys()].join('\n')).not.toMatch(/files|127\.0\.0\.1|localhost/);

    await close();
    const log = logOf(edge);
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'info', event: 'route-served', hostname: `files.${domain}` }),
    );
    for (const secret of ['a secret message', ready.token, await readFile(join(home, 'policy.json'), 'utf8')])
      expect(edge.running.stderr + edge.running.stdout).not.toContain(secret);
    expect(edge.running.stderr).not.toMatch(/mcpe?t?_[A-Za-z0-9]{20}/);
  });

  it('takes new settings on SIGHUP, keeps the old ones when the file is wrong, and says why', async () => {
    const edge = await startEdge('log: { level: info }\n');
    const hangUp = async (settings: string, event: string) => {
      const before = logged(edge, event).length;
      await writeFile(
        edge.config,
        `domain: ${domain}\nlisten: 127.0.0.1:0\ndata: data\nhealth: 127.0.0.1:0\n${settings}`,
      );
      edge.running.child.kill('SIGHUP');
      await until(() => logged(edge, event).length > before);
    };
    await hangUp('limits: { helloMs: 250 }\nreservedLabels: [files]\n', 'config-reloaded');
    const refused = await exposeThrough(edge).catch((error: unknown) => String(error));
    expect(refused).toContain('reserved at this edge');

    await hangUp('limits:\n  helloMs: never\n', 'config-reload-failed');
    expect(logged(edge, 'config-reload-failed')).toMatchObject([
      {
        level: 'error',
        reason: expect.stringContaining('edge.yaml:6:3: limits.helloMs: it is a whole number') as unknown,
      },
    ]);
    expect((await metricsOf(edge)).get('mcp_tunnel_edge_config_reload_failed')).toBe(1);
    const status = await runCommand(['edge', 'status', '--data', join(edge.folder, 'data')], { home: edge.folder });
    expect(status.stdout).toContain('not those in use');

    await hangUp('log: { level: info, format: text }\n', 'config-reloaded');
    expect(logged(edge, 'config-needs-restart')).toEqual([]); // The word --log wins.
    await writeFile(edge.config, 'domain: other.localhost\n');
    edge.running.child.kill('SIGHUP');
    await until(() => logged(edge, 'config-needs-restart').length === 1);
    expect(logged(edge, 'config-needs-restart')[0]?.['message']).toMatch(/domain, listen, data, health/);
    const metrics = await metricsOf(edge);
    expect(metrics.get('mcp_tunnel_edge_config_reload_failed')).toBe(0);
    expect(metrics.get('mcp_tunnel_edge_config_reloads_total{result="failed"}')).toBe(1);
    await exposeThrough(edge); // The label is free again, and the edge is still the one it was.
  });

  it('lets a call finish on SIGTERM, and the same port is served by the next one', async () => {
    const edge = await startEdge('drain: { within: 60s }\n');
    const { ready, running } = await exposeThrough(edge);
    const { client, close } = await connectSdkAgent(ready);
    let progress = 0;
    const long = { name: 'trigger-long-running-operation', arguments: { duration: 2, steps: 4 } };
    const call = client.callTool(long, undefined, { onprogress: () => (progress += 1) });
    await until(() => progress > 0);

    edge.running.child.kill('SIGTERM');
    await until(async () => (await fetch(`${edge.health}/readyz`)).status === 503);
    expect(JSON.stringify((await call).content)).toContain('completed');
    await close();
    expect(await edge.running.ended).toEqual({ code: 0, signal: null });
    expect(logged(edge, 'drain-waits').length).toBeGreaterThan(0);
    expect(logged(edge, 'drain-ended')).toMatchObject([{ message: 'nobody is served any more' }]);

    const next = await startEdge('', [], edge);
    expect(next.pin).toBe(edge.pin);
    await until(async () => (await metricsOf(next)).get('mcp_tunnel_edge_routes') === 1, 60_000);
    const { client: again } = await connectSdkAgent(ready);
    await again.ping();
    expect(running.lines().filter(({ event }) => event === 'error')).toEqual([]);
  });

  it.each([
    ['Ctrl-C', ['SIGINT'], 130],
    ['a second SIGTERM', ['SIGTERM', 'SIGTERM'], 0],
  ] as const)('does not wait after %s, and says whom it cuts off', async (_what, signals, code) => {
    const edge = await startEdge('drain: { within: 60s }\n');
    const { ready } = await exposeThrough(edge);
    const { client } = await connectSdkAgent(ready);
    let progress = 0;
    const long = { name: 'trigger-long-running-operation', arguments: { duration: 120, steps: 400 } };
    client.callTool(long, undefined, { onprogress: () => (progress += 1) }).catch(() => {});
    await until(() => progress > 0);
    edge.running.child.kill(signals[0]);
    if (signals.length > 1) {
      await until(() => logged(edge, 'drain-waits').length > 0);
      edge.running.child.kill('SIGTERM');
    }
    expect(await edge.running.ended).toEqual({ code, signal: null });
    expect(logged(edge, 'drain-ended')).toMatchObject([{ level: 'warn', left: expect.any(Number) as unknown }]);
  });

  it('is not ready while it is announced that it ends, and takes visitors until then', async () => {
    const edge = await startEdge('drain: { lead: 60s }\n');
    edge.running.child.kill('SIGTERM');
    await until(async () => (await fetch(`${edge.health}/readyz`)).status === 503);
    const status = await runCommand(['edge', 'status', '--json', '--data', join(edge.folder, 'data')], {
      home: edge.folder,
    });
    expect(status).toMatchObject({ code: 4 });
    expect(status.lines[0]).toMatchObject({ ready: false, draining: true });
    await exposeThrough(edge);
    edge.running.child.kill('SIGTERM');
    expect(await edge.running.ended).toEqual({ code: 0, signal: null });
  });

  it('checks a file, and prints what may be in one', async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, 'good.yaml'), 'domain: edge.example.com\n');
    await writeFile(join(home, 'bad.yaml'), 'domain: edge.example.com\nlimit:\n  helloMs: 5\n');
    expect(await runCommand(['edge', 'config', '--check', 'good.yaml'], { home })).toMatchObject({ code: 0 });
    const bad = await runCommand(['edge', 'config', '--check', 'bad.yaml'], { home });
    expect(bad).toMatchObject({ code: 2 });
    expect(bad.stderr).toContain('bad.yaml:2:1: limit: there is no such setting; did you mean limits?');
    const run = await runCommand(['edge', 'run', '--config', 'bad.yaml'], { home });
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('bad.yaml:2:1') as unknown });
    const schema = await runCommand(['edge', 'config', '--schema'], { home });
    expect(JSON.parse(schema.stdout)).toMatchObject({ type: 'object', additionalProperties: false });
    const away = await runCommand(['edge', 'run', '--domain', domain, '--health', '0.0.0.0:9'], { home });
    expect(away).toMatchObject({ code: 2, stderr: expect.stringContaining('loopback') as unknown });
    const missing = await runCommand(['edge', 'run', '--config', '/dev/null'], { home });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('it is not a file') as unknown });
  });
});
