// A tunnel whose way out leads through a real proxy (tinyproxy), with a password, under a policy.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Dialled, Serve } from '../../src/carriers/carrier.ts';
import type { Outbound } from '../../src/carriers/outbound.ts';
import { TunnelError } from '../../src/core/errors.ts';
import { callHttp1 } from '../support/agents.ts';
import { debianPackages } from '../support/debianPackages.ts';
import { freePort } from '../support/freePort.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, openTunnel } from '../support/relay.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

beforeAll(() => debianPackages('tinyproxy-bin'), 300_000);

type Running = { port: number; log: () => string };

async function tinyproxy(...lines: string[]): Promise<Running> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const config = join(folder, 'tinyproxy.conf');
  const own = [`Port ${port}`, 'Listen 127.0.0.1', 'MaxClients 50', 'LogLevel Connect', 'Timeout 600', ...lines];
  await writeFile(config, `${own.join('\n')}\n`);
  const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await until(
    () => answers(port),
    10_000,
    () => said,
  );
  return { port, log: () => said };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const up = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return up;
}

const outboundBy = (port: number, credentials?: string): Outbound => ({
  proxyFor: () => ({ host: '127.0.0.1', port, isTls: false, ...(credentials === undefined ? {} : { credentials }) }),
  authorities: async () => [],
  onNetworkChange: () => () => {},
});

const hello: Serve = (request, response) => void request.pipe(response as NodeJS.WritableStream);

describe('a tunnel through a proxy', () => {
  it('stands on four links, and each dial asked for the proxy', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const here = await aWorld({}, clock);
    const { port, log } = await tinyproxy('BasicAuth developer s3cret', `ConnectPort ${here.edge.port}`);
    const asked: Dialled[] = [];
    const open = await openTunnel(here, hello, {
      outbound: outboundBy(port, 'developer:s3cret'),
      mayDial: (dialled) => void asked.push(dialled),
      random: () => 0.01,
    });
    await until(() => open.links?.up === 4);
    const target = { hostname: open.hostname, port: here.edge.port, ca: here.authority.certificatePem };
    const body = Buffer.alloc(2 << 20, 'x');
    expect((await callHttp1(target, { method: 'POST', body })).body.equals(body)).toBe(true);
    expect(asked.filter((dialled) => 'service' in dialled)).toEqual(
      Array.from({ length: 4 }, () => ({ service: 'proxy', host: `127.0.0.1:${port}` })),
    );
    expect(log()).toContain(`CONNECT 127.0.0.1:${here.edge.port}`);
  });

  it('is not opened without the right password, nor past what the proxy lets through', async () => {
    const here = await aWorld();
    const locked = await tinyproxy('BasicAuth developer s3cret');
    const none = openTunnel(here, hello, { outbound: outboundBy(locked.port) });
    await expect(none).rejects.toThrow('asks for a user name and a password: add them to its URL (407)');
    const wrong = openTunnel(here, hello, { outbound: outboundBy(locked.port, 'developer:wrong') });
    await expect(wrong).rejects.toThrow('does not accept the user name and password in its URL (401)');
    const narrow = await tinyproxy('ConnectPort 1');
    await expect(openTunnel(here, hello, { outbound: outboundBy(narrow.port) })).rejects.toThrow(
      'does not let this machine reach',
    );
  });

  it('is not opened where the policy has no entry for the proxy, and the proxy hears nothing', async () => {
    const here = await aWorld();
    const { port, log } = await tinyproxy();
    const mayDial = (dialled: Dialled): void => {
      if ('service' in dialled) throw new TunnelError('DESTINATION_DENIED', 'the proxy is not on the allowlist');
    };
    const opening = openTunnel(here, hello, { outbound: outboundBy(port), mayDial });
    await expect(opening).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
    expect(log()).not.toContain('CONNECT 127.0.0.1');
  });
});
