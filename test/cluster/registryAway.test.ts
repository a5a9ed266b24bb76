// NATS goes away: what is up stays up, nothing new is given out, and its return needs nobody. NATS loses what it knew:
// the nodes that run write it back, and a revocation is never forgotten.
import { describe, expect, it } from 'vitest';
import { callHttp1 } from '../support/agents.ts';
import { until } from '../support/until.ts';
import { answeredAt, at, echo, knows, machineAt, tell, threeNodes, tunnelAt } from './world.ts';

describe('without NATS', () => {
  it('visitors of every node go on to be served, also after leases would have run out', async () => {
    const { nats, a, b, c } = await threeNodes();
    const { hostname } = await tunnelAt(a, echo('one'));
    await until(() => knows(b) && knows(c));
    await nats.kill();
    await until(() => [a, b, c].every(({ cluster }) => cluster.problem !== undefined));
    const since = performance.now();
    // Half as long again as a lease: nobody can be heard of, so nobody is taken for gone.
    await until(() => performance.now() - since > 6_000, 10_000);
    for (const node of [a, b, c]) expect(await answeredAt(node, hostname)).toBe('one');
  });

  it('new names are refused with the reason, links of a run that has its name are let in, and all is well by itself after', async () => {
    const { nats, a, b, c } = await threeNodes();
    const machine = await machineAt(a);
    const open = await tunnelAt(a, echo('one'), { identity: machine });
    await until(() => knows(b));
    await nats.kill();
    await until(() => [a, b, c].every(({ cluster }) => cluster.problem !== undefined));

    const refused = tunnelAt(a, echo('two'), { identity: machine, label: 'another', instance: 'instance-2' });
    await expect(refused).rejects.toMatchObject({
      code: 'EDGE_UNREACHABLE',
      retryable: true,
      message: expect.stringContaining('the registry of this edge cannot be reached'),
    });
    // The same run at the node that has it, and one that only knows of it.
    const known = {
      label: 'everything-x7k2',
      instance: 'instance-1',
      run: a.cluster.sharing.runOf('everything-x7k2') ?? '',
    };
    for (const { cluster } of [a, b]) await cluster.sharing.claim(known, machine.connector);
    const older = b.cluster.sharing.claim({ ...known, run: 'another' }, machine.connector);
    await expect(older).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(a.cluster.state.mintToken()).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
    await expect(a.cluster.state.revokeConnector(machine.connector)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(a.cluster.state.refresh()).rejects.toMatchObject({ code: 'TIMEOUT' });

    const began = performance.now();
    await nats.restart();
    await until(() => [a, b, c].every(({ cluster }) => cluster.problem === undefined));
    tell(`NATS was reached again by every node ${Math.round(performance.now() - began)} ms after its start`);
    await tunnelAt(a, echo('two'), { identity: machine, label: 'another', instance: 'instance-2' });
    await until(() => c.cluster.routes().length === 2);
    for (const node of [a, b, c]) expect(await answeredAt(node, open.hostname)).toBe('one');
  });
});

describe('NATS that comes back empty', () => {
  it('is told again who is up, who serves what, who is enrolled and who owns a name', async () => {
    const { nats, a, b, c } = await threeNodes();
    const machine = await machineAt(a);
    const { hostname } = await tunnelAt(a, echo('one'), { identity: machine });
    await until(() => knows(b) && knows(c));
    await nats.kill();
    await nats.forget();
    await nats.restart();
    await until(() => [a, b, c].every(({ log }) => log.some((line) => line.startsWith('registry-restored'))));
    await until(() => [a, b, c].every(({ cluster }) => cluster.nodes().length === 2));
    for (const node of [a, b, c]) expect(await answeredAt(node, hostname)).toBe('one');
    const stranger = await machineAt(b);
    const theft = tunnelAt(b, echo('thief'), { identity: stranger });
    await expect(theft).rejects.toMatchObject({ code: 'ROUTE_DENIED' });
    expect(c.cluster.state.connectors().map(({ id }) => id)).toContain(machine.connector);
  });

  it('knows of revocations again, and of no token that was spent', async () => {
    const { nats, a, b } = await threeNodes();
    const machine = await machineAt(a);
    const { token } = await a.cluster.state.mintToken();
    await a.cluster.state.spendToken(token);
    await b.cluster.state.revokeConnector(machine.connector);
    await until(() => a.cluster.state.isRevoked(machine.connector));
    await nats.kill();
    await nats.forget();
    await nats.restart();
    await until(() => [a, b].every(({ log }) => log.some((line) => line.startsWith('registry-restored'))));
    const again = tunnelAt(a, echo('one'), { identity: machine });
    await expect(again).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await expect(b.cluster.state.spendToken(token)).rejects.toMatchObject({ code: 'ENROLMENT_REFUSED' });
    await expect(callHttp1(at(a, 'everything-x7k2.edge.test'), { method: 'GET' })).rejects.toThrow();
  });
});
