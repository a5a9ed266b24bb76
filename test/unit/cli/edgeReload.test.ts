import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { planEdge } from '../../../src/cli/edgePlan.ts';
import { EdgeReload } from '../../../src/cli/edgeReload.ts';
import { EdgeLogger } from '../../../src/edge/edgeLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { World } from './world.ts';

async function anEdge(text: string) {
  const world = await World.make();
  onTestFinished(() => world.close());
  const write = (settings: string) => writeFile(join(world.folder, 'edge.yaml'), settings);
  await write(text);
  const words = { config: 'edge.yaml' };
  const plan = await planEdge(world.folder, words);
  const lines: string[] = [];
  const log = new EdgeLogger({
    clock: new FakeClock(),
    format: 'text',
    level: 'info',
    write: (line) => void lines.push(line),
  });
  const set: unknown[] = [];
  const certificate = { isGood: true, readFrom: [] as (string | undefined)[] };
  const reload = new EdgeReload({
    plan,
    read: () => planEdge(world.folder, words),
    edge: { setLimits: (limits) => void set.push(limits) },
    reloadServer: async () => {
      certificate.readFrom.push(plan.certificate?.cert.split('/').at(-1));
      if (!certificate.isGood) throw new Error('it has expired');
      return true;
    },
    log,
  });
  return { folder: world.folder, plan, reload, write, lines, set, certificate, log };
}

const withCertificate = 'cert: a.pem\nkey: a.key\n';

describe('settings that are read anew', () => {
  it('hold in place: limits, labels, balancers, level and drain', async () => {
    const { plan, reload, write, set, log, lines } = await anEdge('reservedLabels: [old]\n');
    const { reservedLabels, proxyFrom } = plan;
    await write(
      'reservedLabels: [new]\nproxyFrom: [192.0.2.1]\nlimits: { idleMs: 5000 }\nlog: { level: warn }\ndrain: { within: 7s }\n',
    );
    await reload.reload();
    expect([reservedLabels, proxyFrom.length, plan.drain.withinMs, log.level]).toEqual([['new'], 1, 7000, 'warn']);
    expect(set).toEqual([{ idleMs: 5000 }]);
    expect(reload.figures).toEqual({ succeeded: 1, failed: 0, lastFailed: false });
    expect(lines.filter((line) => line.includes('next start'))).toEqual([]);
  });

  it('change nothing where the file is wrong, or the certificate cannot be used', async () => {
    const { plan, reload, write, set, certificate, lines } = await anEdge(`${withCertificate}reservedLabels: [old]\n`);
    await write('reservedLabels: 5\n');
    await reload.reload();
    certificate.isGood = false;
    await write('cert: b.pem\nkey: b.key\nreservedLabels: [new]\n');
    await reload.reload();
    expect([plan.reservedLabels, set, plan.certificate?.cert.endsWith('a.pem')]).toEqual([['old'], [], true]);
    expect(certificate.readFrom).toEqual(['b.pem']);
    expect(reload.figures).toEqual({ succeeded: 0, failed: 2, lastFailed: true });
    expect(lines.at(-1)).toContain('it has expired');

    certificate.isGood = true;
    await reload.reload();
    expect([plan.reservedLabels, plan.certificate?.cert.endsWith('b.pem')]).toEqual([['new'], true]);
    expect(reload.figures.lastFailed).toBe(false);
  });

  it('name what takes effect with the next start, and leave it as it is', async () => {
    const { plan, reload, write, set, lines } = await anEdge('listen: 127.0.0.1:1\nlimits: { handshakeMs: 2000 }\n');
    await write('listen: 127.0.0.1:2\nlimits: { handshakeMs: 3000 }\n');
    await reload.reload();
    expect([plan.listen.port, set]).toEqual([1, [{ handshakeMs: 2000 }]]);
    expect(lines.at(-1)).toContain('with the next start: listen, limits.handshakeMs');
  });

  it('name a place of the registry as well, and a word of the command that wins over the file stays', async () => {
    const registry = (more: string): string => `registry:\n  servers: [nats://192.0.2.1]\n${more}`;
    const { folder, reload, write, lines } = await anEdge(registry('  publicAddress: a.example.com:443\n'));
    await write(registry('  publicAddress: b.example.com:443\n'));
    await reload.reload();
    expect(lines.at(-1)).toContain('with the next start: registry');
    const { registry: planned } = await planEdge(folder, { config: 'edge.yaml', registryCreds: 'mine.creds' });
    expect(planned).toMatchObject({ registry: ['nats://192.0.2.1'], registryCreds: 'mine.creds' });
    expect((await planEdge(folder, { config: 'edge.yaml', registry: [] })).registry.registry).toEqual([]);
  });

  it('are read one after the other, however often somebody asks', async () => {
    const { reload } = await anEdge('');
    await Promise.all([reload.reload(), reload.reload(), reload.reload()]);
    expect(reload.figures.succeeded).toBe(3);
  });
});
