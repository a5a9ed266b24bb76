import { expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { RememberedTunnels } from '../../../src/extension/rememberedTunnels.ts';
import { reopenTunnels } from '../../../src/extension/reopen.ts';
import type { OpenedTunnel, OpenTunnel, TunnelInfo } from '../../../src/protocol/control.ts';
import { memory } from './memory.ts';
import { tunnel } from './samples.ts';

type Setup = { open?: TunnelInfo[]; trusted?: boolean; watch?: string; answer?: (request: OpenTunnel) => OpenedTunnel };

async function reopen(remembered: RememberedTunnels, setup: Setup = {}) {
  const requests: OpenTunnel[] = [];
  const failures: string[] = [];
  await reopenTunnels({
    helper: {
      request: async (method: string, params: unknown) => {
        if (method === 'tunnel/list') return { tunnels: setup.open ?? [] };
        requests.push(params as OpenTunnel);
        return setup.answer?.(params as OpenTunnel) ?? { tunnel: tunnel(), readyMs: 1 };
      },
    },
    remembered,
    folders: () => ['/work'],
    trusted: () => setup.trusted ?? true,
    run: (server) => (setup.watch ? { run: { watch: [`${setup.watch} of ${server}`] } } : {}),
    failed: (_tunnel, error) => failures.push((error as Error).message),
  });
  return { requests, failures };
}

async function rememberedOne(): Promise<RememberedTunnels> {
  const remembered = new RememberedTunnels(memory());
  await remembered.add(tunnel());
  return remembered;
}

it('opens what was on with the same name and port, and mints no new grant', async () => {
  const { requests } = await reopen(await rememberedOne());
  expect(requests).toEqual([
    {
      server: { id: 's1', folders: ['/work'] },
      destination: { carrier: 'embedded' },
      name: 'everything-x7k2',
      port: 4443,
      grant: { none: true },
    },
  ]);
});

it('has its server run as the settings say now', async () => {
  const { requests } = await reopen(await rememberedOne(), { watch: 'dist' });
  expect(requests).toMatchObject([{ run: { watch: ['dist of s1'] } }]);
});

it('asks for the certificate that a tunnel through an edge had', async () => {
  const remembered = new RememberedTunnels(memory());
  await remembered.add(tunnel({ destination: { carrier: 'edge', host: 'edge.example.com' } }));
  expect((await reopen(remembered)).requests).toMatchObject([{ certificate: { kind: 'kept' } }]);
});

it('lets in only the addresses that it let in, whatever else has forgotten them', async () => {
  const remembered = new RememberedTunnels(memory());
  const edge = tunnel({ destination: { carrier: 'edge', host: 'edge.example.com' } });
  await remembered.add({ ...edge, allowFrom: ['192.0.2.0/24'] });
  expect((await reopen(remembered)).requests).toMatchObject([{ allowFrom: ['192.0.2.0/24'] }]);
  await remembered.add(edge);
  expect((await reopen(remembered)).requests[0]).not.toHaveProperty('allowFrom');
});

it('leaves alone what is open already', async () => {
  const { requests } = await reopen(await rememberedOne(), { open: [tunnel()] });
  expect(requests).toEqual([]);
});

it('runs nothing in an untrusted workspace', async () => {
  const remembered = await rememberedOne();
  const { requests } = await reopen(remembered, { trusted: false });
  expect(requests).toEqual([]);
  expect(remembered.all).toHaveLength(1);
});

function failing(code: 'CONSENT_REQUIRED' | 'EDGE_UNREACHABLE' | 'CLOSED'): Setup {
  return {
    answer: () => {
      throw new TunnelError(code, code);
    },
  };
}

it('says what could not be opened, and forgets it when trying again cannot help', async () => {
  const remembered = await rememberedOne();
  const { failures } = await reopen(remembered, failing('CONSENT_REQUIRED'));
  expect(failures).toEqual(['CONSENT_REQUIRED']);
  expect(remembered.all).toEqual([]);
});

it('keeps what may work the next time', async () => {
  const remembered = await rememberedOne();
  const { failures } = await reopen(remembered, failing('EDGE_UNREACHABLE'));
  expect(failures).toEqual(['EDGE_UNREACHABLE']);
  expect(remembered.all).toHaveLength(1);
});

it('stays silent when the helper went away: its next start tries again', async () => {
  const remembered = await rememberedOne();
  const { failures } = await reopen(remembered, failing('CLOSED'));
  expect(failures).toEqual([]);
  expect(remembered.all).toHaveLength(1);
});
