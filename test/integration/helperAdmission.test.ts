// Whose addresses may reach a tunnel, as drivers of a helper say it: when it is opened, and while it is open.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { expect, it } from 'vitest';
import type { TunnelInfo } from '../../src/protocol/control.ts';
import { callHttp1 } from '../support/agents.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, domain, enrolled, type World } from '../support/relay.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

async function worlds(): Promise<{ edge: World; here: HelperWorld; host: string }> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const edge = await aWorld({}, clock);
  const { port } = edge.edge;
  const host = `${domain}:${port}`;
  const home = await temporaryFolder();
  const places = ['127.0.0.1', domain].map((name) => ({ carrier: 'edge', host: `${name}:${port}` }));
  const policy = { version: 1, destinations: [{ carrier: 'embedded' }, ...places] };
  await writeFile(join(home, 'policy.json'), JSON.stringify(policy));
  const here = await aHelper({ clock, home });
  await mkdir(here.paths.edgesFolder, { recursive: true, mode: 0o700 });
  const identity = await enrolled(edge.state, port);
  await writeFile(join(here.paths.edgesFolder, `${domain}.json`), JSON.stringify(identity), { mode: 0o600 });
  return { edge, here, host };
}

/** Without a token: 401 where it is let in at all, 0 where the edge hangs up. */
async function statusFrom(
  address: string,
  { hostname = '', caFile = '' }: TunnelInfo,
  { edge }: World,
): Promise<number> {
  const target = { hostname, port: edge.port, ca: await readFile(caFile, 'utf8') };
  const tls = { localAddress: address } as ConnectionOptions;
  return callHttp1({ ...target, tls }, { path: '/mcp' }).then(
    ({ status }) => status,
    () => 0,
  );
}

it('is what was said last, in the rows, in the audit log, and when it is opened again', async () => {
  const { edge, here, host } = await worlds();
  const destination = { carrier: 'edge', host } as const;
  const { tunnel } = await here.open({ destination, allowFrom: ['127.0.0.2'] });
  expect(tunnel.allowFrom).toEqual(['127.0.0.2']);
  expect(await statusFrom('127.0.0.3', tunnel, edge)).toBe(0);

  const change = (allowFrom: string[]) => here.peer.request('tunnel/allowFrom', { tunnel: tunnel.id, allowFrom });
  await change(['127.0.0.3', 'anthropic']);
  await until(() => here.tunnels()[0]?.allowFrom?.[1] === 'anthropic');
  expect(await statusFrom('127.0.0.3', tunnel, edge)).toBe(401);
  expect(await statusFrom('127.0.0.2', tunnel, edge)).toBe(0);

  await expect(change(['127.0.0.1/8'])).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('127.0.0.1/8'),
  });
  await expect(change(['AS64500'])).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('--asn-db'),
  });
  expect(await statusFrom('127.0.0.3', tunnel, edge)).toBe(401); // As before.

  await here.peer.request('tunnel/close', { tunnel: tunnel.id });
  const again = await here.open({ destination });
  expect(again.tunnel.allowFrom).toEqual(['127.0.0.3', 'anthropic']);
  await here.peer.request('tunnel/allowFrom', { tunnel: again.tunnel.id, allowFrom: [] });
  expect(await statusFrom('127.0.0.9', again.tunnel, edge)).toBe(401);

  const notes = (await here.audit()).filter(({ kind }) => kind === 'tunnel');
  expect(notes.map(({ event, allowFrom }) => [event, allowFrom])).toEqual([
    ['opened', '127.0.0.2'],
    ['changed', '127.0.0.3 anthropic'],
    ['closed', '127.0.0.3 anthropic'],
    ['opened', '127.0.0.3 anthropic'],
    ['changed', undefined],
  ]);
});

it('cannot be said of a tunnel that is reached from this machine only', async () => {
  const { here } = await worlds();
  await expect(here.open({ allowFrom: ['127.0.0.2'] })).rejects.toMatchObject({ code: 'USAGE' });
  const { tunnel } = await here.open();
  const limited = here.peer.request('tunnel/allowFrom', { tunnel: tunnel.id, allowFrom: ['127.0.0.2'] });
  await expect(limited).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('this machine alone'),
  });
});
