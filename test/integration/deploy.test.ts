// The files that an edge is deployed with, in the eyes of the programs that read them, and against what the command and
// the metrics are today.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { commands } from '../../src/cli/commands.ts';
import { TunnelMetrics } from '../../src/cli/tunnelMetrics.ts';
import { parseEdgeConfig } from '../../src/edge/edgeConfig.ts';
import { defaultDrain } from '../../src/edge/edgeDrain.ts';
import { makeEdgeCounters } from '../../src/edge/edgeCounters.ts';
import { edgeMetrics } from '../../src/edge/edgeMetrics.ts';
import { EventLoopLag } from '../../src/edge/processMetrics.ts';
import { debianPackages } from '../support/debianPackages.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const run = promisify(execFile);
const deploy = resolve('src/edge/deploy');
const read = (name: string): Promise<string> => readFile(join(deploy, name), 'utf8');

const units = ['mcp-tunnel-edge.service', 'mcp-tunnel-connector@.service'];

/** A unit whose program is there, as `verify` wants it; a template as one of its instances. */
async function installed(unit: string): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(folder, { recursive: true });
  const program = join(folder, 'mcp-tunnel');
  await symlink(process.execPath, program);
  const file = join(folder, unit.replace('@', '@files'));
  await writeFile(file, (await read(unit)).replaceAll('/usr/local/bin/mcp-tunnel', program));
  return file;
}

const valueOf = (text: string, key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1];

describe.each(units)('%s', (unit) => {
  it('has nothing that systemd would complain of, and is hardened', async () => {
    await debianPackages('systemd');
    const file = await installed(unit);
    const { stdout, stderr } = await run('systemd-analyze', ['verify', file]);
    expect(stdout + stderr).toBe('');
    // Exit code 1 above the threshold, which is in tenths.
    const { stdout: judged } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file]);
    expect(judged).toContain('Overall exposure level');
  });

  it('gives the process as long to end as it may take', async () => {
    const text = await read(unit);
    const config = parseEdgeConfig(Buffer.from(await read('edge.yaml')), 'edge.yaml');
    const drain = unit.includes('edge')
      ? (config.drain?.lead ?? 0) + (config.drain?.within ?? 0)
      : defaultDrain.withinMs;
    expect(Number(valueOf(text, 'TimeoutStopSec')) * 1000).toBeGreaterThan(drain + 5000);
    expect(valueOf(text, 'KillMode')).toBe('mixed');
    if (unit.includes('edge')) expect(valueOf(text, 'ExecReload')).toContain('-HUP');
  });
});

describe('the texts of deployment', () => {
  it('are YAML, without one thing said twice', async () => {
    const files = (await readdir(deploy)).filter((name) => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(3);
    for (const name of files) {
      const documents = parseAllDocuments(await read(name), { uniqueKeys: true });
      const problems = [documents].flat().flatMap((one) => ('errors' in one ? [...one.errors, ...one.warnings] : []));
      expect([name, problems]).toEqual([name, []]);
    }
  });

  it('tell containers what to run in words alone', async () => {
    const words: unknown[] = [];
    for (const name of ['kubernetes-sidecar.yaml', 'compose.yaml']) {
      const collect = (value: unknown, key: string): void => {
        if (key === 'command' || key === 'args') words.push(...(value as unknown[]));
        else if (typeof value === 'object' && value !== null)
          for (const [name, inside] of Object.entries(value)) collect(inside, name);
      };
      for (const document of parseAllDocuments(await read(name))) collect(document.toJS(), '');
    }
    expect(words.length).toBeGreaterThan(20);
    expect(words.filter((word) => typeof word !== 'string')).toEqual([]);
  });

  it('name commands and options that there are', async () => {
    const rows = commands.filter(({ name }) => name !== 'demo');
    const said = (await Promise.all((await readdir(deploy)).map(read))).join('\n');
    const lines = said.match(/(?:mcp-tunnel|`edge) [a-z][^`\n;&|]*/g) ?? [];
    let checked = 0;
    for (const line of lines) {
      const words = line.replace(/^`/, 'mcp-tunnel ').split(/\s+/).slice(1);
      const row = rows.find(({ name }) => words.join(' ').startsWith(name));
      if (!row) continue;
      for (const flag of line.match(/--[a-z][a-z-]*/g) ?? []) {
        const known = row.options.some(({ flags }) => new RegExp(`${flag}(?![a-z-])`).test(flags)) || flag === '--json';
        expect([line, flag, known]).toEqual([line, flag, true]);
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(15);
    const unknown = lines.filter(
      (line) => line.startsWith('`edge') && !rows.some(({ name }) => line.slice(1).startsWith(name)),
    );
    expect(unknown).toEqual([]);
  });

  it('have settings that an edge takes', async () => {
    const config = parseEdgeConfig(Buffer.from(await read('edge.yaml')), 'edge.yaml');
    expect(config).toMatchObject({ domain: 'tunnel.example.com', health: { host: '127.0.0.1' } });
  });

  it('have alerts that Prometheus takes, on metrics that there are', async () => {
    await debianPackages('prometheus');
    const { stdout } = await run('/usr/bin/promtool', ['check', 'rules', join(deploy, 'alerts.yaml')]);
    expect(stdout).toContain('SUCCESS');

    const lag = new EventLoopLag();
    const figures = { links: 0, connectors: 0, routes: 0, visitors: 0, heldBytes: 0, unspentTokens: 0 };
    const edge = edgeMetrics(
      () => ({
        ...figures,
        counters: makeEdgeCounters(),
        bytesToConnectors: 0,
        bytesToVisitors: 0,
        isReady: true,
        isDraining: false,
        certificateExpiresMs: 0,
        reloads: { succeeded: 0, failed: 0, lastFailed: false },
      }),
      '1',
      lag,
    );
    const tunnel = new TunnelMetrics({
      tunnel: () => undefined,
      open: () => 0,
      isReady: () => true,
      version: '1',
      lag,
    });
    const page = (await edge.print()) + (await tunnel.print());
    lag.close();
    const texts = `${await read('alerts.yaml')}\n${await read('RUNBOOK.md')}`;
    const named = new Set(texts.match(/\b(?:mcp_tunnel|nodejs|process)_[a-z_]+/g));
    expect(named.size).toBeGreaterThan(8);
    for (const name of named) expect(page).toContain(`# TYPE ${name} `);
  });

  it('start containers as nobody in particular, from a version that is named', async () => {
    const docker = await read('Dockerfile');
    expect(docker).toMatch(/^FROM node:20\.\d+\.\d+-bookworm-slim$/m);
    expect(docker).toMatch(/^USER node$/m);
    expect(docker).not.toMatch(/^ADD |curl|wget|:latest/m);
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(docker).toContain(`mcp-tunnel-${version}.tgz`);
    expect(await read('RUNBOOK.md')).toContain(`mcp-tunnel-${version}.tgz`);
  });
});
