// Whose a hostname is: the connector that claimed it first, and of its tunnels the one that is up.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { callHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled, openTunnel, type World } from '../support/relay.ts';
import { Tap } from '../support/tap.ts';
import { until } from '../support/until.ts';

const says =
  (text: string): Serve =>
  (_request, response) =>
    void (response as NodeJS.WritableStream).end(text);

async function world(): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({}, clock);
}

const ask = async ({ edge, authority }: World, hostname: string): Promise<string> => {
  const target: Target = { hostname, port: edge.port, ca: authority.certificatePem };
  return (await callHttp1(target)).body.toString();
};

describe('a name that is taken', () => {
  it('is denied to another machine, also when its owner is away', async () => {
    const here = await world();
    const owner = await openTunnel(here, says('owner'));
    const stranger = await enrolled(here.state, here.edge.port);
    const theft = (): Promise<unknown> => openTunnel(here, says('thief'), { identity: stranger });
    await expect(theft()).rejects.toMatchObject({ code: 'ROUTE_DENIED', retryable: false });
    expect(await ask(here, owner.hostname)).toBe('owner');

    await owner.close();
    await until(() => here.edge.routes().length === 0);
    await expect(theft()).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
  });

  it('is busy for another tunnel of the same machine, at once, and free when the first has ended', async () => {
    const here = await world();
    const identity = await enrolled(here.state, here.edge.port);
    const first = await openTunnel(here, says('first'), { identity });
    const second = (): ReturnType<typeof openTunnel> =>
      openTunnel(here, says('second'), { identity, instance: 'instance-2' });
    await expect(second()).rejects.toMatchObject({ code: 'ROUTE_BUSY', retryable: true });
    expect(await ask(here, first.hostname)).toBe('first');

    await first.close();
    await until(() => here.edge.routes().length === 0);
    expect(await ask(here, (await second()).hostname)).toBe('second');
  });

  it('goes over to the same tunnel when that comes again, and the older one does not fight for it', async () => {
    const here = await world();
    const identity = await enrolled(here.state, here.edge.port);
    const older = await openTunnel(here, says('older'), { identity, random: () => 0.01 });
    const newer = await openTunnel(here, says('newer'), { identity });
    await until(() => older.state.kind === 'failed');
    expect(older.state).toMatchObject({ error: { code: 'ROUTE_BUSY', retryable: false } });
    expect(await ask(here, newer.hostname)).toBe('newer');
    expect(newer.state.kind).toBe('connected');
    expect(here.edge.routes()).toHaveLength(1);
  });

  it('goes over at once to the same tunnel when its old link is dead and the edge has not noticed', async () => {
    const here = await world();
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const identity = await enrolled(here.state, here.edge.port);
    await openTunnel(here, says('before'), { identity: { ...identity, port: tap.port } });
    tap.silence(); // As after kill -9 of the machine: nobody says goodbye.
    const after = await openTunnel(here, says('after'), { identity });
    expect(await ask(here, after.hostname)).toBe('after');
    expect(here.edge.routes()).toHaveLength(1);
  });

  it('is served by living links alone when one was lost and only its machine has noticed', async () => {
    const here = await world();
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const identity = await enrolled(here.state, here.edge.port);
    const place = { ...identity, port: tap.port };
    const tunnel = await openTunnel(here, says('here'), { identity: place, random: () => 0.01 });
    await until(() => tunnel.links?.up === 4);
    tap.forsakeOne();
    await until(() => tunnel.links?.up === 3);
    expect(here.edge.routes()[0]?.links).toBe(4);
    await until(() => tunnel.links?.up === 4);
    expect(here.edge.routes()[0]?.links).toBe(4);
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask(here, tunnel.hostname)));
    expect(new Set(answers)).toEqual(new Set(['here']));
  });

  it('is nobody’s twice: of many that claim it at once one gets it', async () => {
    const here = await world();
    const identities = await Promise.all(Array.from({ length: 6 }, () => enrolled(here.state, here.edge.port)));
    const results = await Promise.allSettled(
      identities.map((identity, index) => openTunnel(here, says(`${index}`), { identity })),
    );
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ROUTE_DENIED' });
    }
    expect(await ask(here, 'everything-x7k2.edge.test')).toBe(`${winners[0]}`);
  });
});

describe('a name that cannot be', () => {
  it.each(['connect', 'enroll', 'www', 'xn--abc', '_acme', '-x', 'a.b', 'A', '', 'x'.repeat(64)])(
    'is denied: %j',
    async (label) => {
      const here = await world();
      await expect(openTunnel(here, says('x'), { label })).rejects.toMatchObject({
        code: expect.stringMatching(/^(ROUTE_DENIED|CERTIFICATE_INVALID|USAGE)$/) as string,
      });
      expect(here.edge.routes()).toEqual([]);
    },
  );
});

describe('many tunnels', () => {
  it('of many machines each reach their own server', async () => {
    const here = await world();
    const opened = await Promise.all(
      Array.from({ length: 8 }, (_, index) => openTunnel(here, says(`server ${index}`), { label: `server-${index}` })),
    );
    const answers = await Promise.all(opened.map(({ hostname }) => ask(here, hostname)));
    expect(answers).toEqual(opened.map((_, index) => `server ${index}`));
    expect(here.edge.routes()).toHaveLength(8);
  });
});
