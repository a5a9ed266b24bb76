// Nodes of one edge over a real registry: visitors at any of them, who gets a name, and whose word counts.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { maxLabelsPerConnector } from '../../src/edge/labelRules.ts';
import { callHttp1 } from '../support/agents.ts';
import { until } from '../support/until.ts';
import { answeredAt, at, echo, knows, machineAt, sha, tell, threeNodes, tunnelAt } from './world.ts';

describe('three nodes', () => {
  it('take a visitor at any of them, with its address and every byte of its bodies', async () => {
    const { a, all } = await threeNodes();
    const { hostname } = await tunnelAt(a, echo('one'));
    await until(() => all.every(knows));
    for (const node of all) {
      const body = randomBytes(3_000_000);
      const answer = await callHttp1(at(node, hostname), { method: 'POST', body });
      expect(sha(answer.body)).toBe(sha(body));
      expect(answer.headers['x-visitor']).toMatch(/^127\.0\.0\.1:\d+$/);
    }
    expect(all.map(({ edge }) => edge.counters.handedOn)).toEqual([0, 1, 1]);
  });

  it('judge a visitor by whom the tunnel lets in where it comes, before it is handed on', async () => {
    const { a, b } = await threeNodes();
    const { hostname } = await tunnelAt(a, echo('one'), { admission: { networks: ['192.0.2.0/24'] } });
    await until(() => knows(b));
    await expect(callHttp1(at(b, hostname), { method: 'POST' })).rejects.toThrow();
    expect(b.edge.counters.notAdmitted).toBe(1);
    expect(b.edge.counters.handedOn + a.edge.counters.notAdmitted).toBe(0);
  });

  it('have the links of one tunnel spread over more than one, and its visitors outlive the end of one', async () => {
    const { a, b, c } = await threeNodes();
    const { hostname } = await tunnelAt(a, echo('one'), { links: 4 });
    const links = (): number => [a, b, c].reduce((sum, { edge }) => sum + (edge.routes()[0]?.links ?? 0), 0);
    await until(() => links() === 4 && b.edge.routes().length + c.edge.routes().length > 0);
    await until(() => [b, c].every((node) => node.cluster.routes().length > 0));
    await a.close();
    expect(await answeredAt(b, hostname)).toBe('one');
    expect(await answeredAt(c, hostname)).toBe('one');
  });
});

describe('a name', () => {
  it('goes to one of two machines that ask for it on two nodes at the same moment', async () => {
    const { a, b } = await threeNodes();
    const machines = [await machineAt(a), await machineAt(b)];
    for (let round = 0; round < 5; round += 1) {
      const label = `race-${round}`;
      const opened = await Promise.allSettled([
        tunnelAt(a, echo('a'), { label, identity: { ...machines[0]!, port: a.edge.port } }),
        tunnelAt(b, echo('b'), { label, identity: { ...machines[1]!, port: b.edge.port } }),
      ]);
      expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [lost] = opened.filter((one): one is PromiseRejectedResult => one.status === 'rejected');
      expect(lost?.reason).toMatchObject({ code: 'ROUTE_DENIED' });
    }
  });

  it('is busy for another tunnel of its machine, whichever node that comes to', async () => {
    const { a, b } = await threeNodes();
    const machine = await machineAt(a);
    await tunnelAt(a, echo('one'), { identity: machine });
    const again = tunnelAt(b, echo('two'), { identity: { ...machine, port: b.edge.port }, instance: 'instance-2' });
    await expect(again).rejects.toMatchObject({ code: 'ROUTE_BUSY', retryable: true });
  });

  it('goes over to a newer run that comes to another node, and the older one hears that it lost it', async () => {
    const { a, b, c } = await threeNodes();
    const machine = await machineAt(a);
    const older = await tunnelAt(a, echo('older'), { identity: machine });
    await until(() => knows(c));
    expect(await answeredAt(c, older.hostname)).toBe('older');
    await tunnelAt(b, echo('newer'), { identity: { ...machine, port: b.edge.port } });
    await until(() => older.state.kind === 'failed' && a.edge.routes().length === 0);
    expect(older.state).toMatchObject({ error: { code: 'ROUTE_BUSY' } });
    await until(() => c.cluster.routes().length === 1);
    for (const node of [a, b, c]) expect(await answeredAt(node, older.hostname)).toBe('newer');
  });

  it('that was given to another machine stops being served on the node that has its links', async () => {
    const { a, b, c } = await threeNodes();
    const [first, second] = [await machineAt(a), await machineAt(b)];
    const lost = await tunnelAt(a, echo('first'), { identity: first });
    await c.cluster.state.transferLabel('everything-x7k2', second.connector);
    await until(() => lost.state.kind === 'failed' && a.edge.routes().length === 0);
    expect(lost.state).toMatchObject({ error: { code: 'ROUTE_DENIED' } });
    await tunnelAt(b, echo('second'), { identity: { ...second, port: b.edge.port } });
    await until(() => c.cluster.routes().length === 1);
    expect(await answeredAt(c, lost.hostname)).toBe('second');
  });
});

describe('what is done on one node', () => {
  it('a machine owns only so many names, also where it claims many at once', async () => {
    const { a } = await threeNodes();
    const { connector } = await machineAt(a);
    const claims = Array.from({ length: maxLabelsPerConnector + 20 }, (_, at) =>
      a.cluster.state.claimLabel(`name-${at}`, connector),
    );
    const settled = await Promise.allSettled(claims);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(maxLabelsPerConnector);
    expect(settled.at(-1)).toMatchObject({ reason: { code: 'LIMIT' } });
  });

  it('a token that is shown to all of them at once is spent once', async () => {
    const { a, all } = await threeNodes();
    for (let round = 0; round < 10; round += 1) {
      const { token } = await a.cluster.state.mintToken();
      const spent = await Promise.allSettled(all.map(({ cluster }) => cluster.state.spendToken(token)));
      expect(spent.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of spent) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ENROLMENT_REFUSED' });
      }
    }
    await until(() => all.every(({ cluster }) => cluster.state.connectors().length === 10));
  });

  it('a machine that is revoked is cut off on all of them, with its visitors, and gets no name any more', async () => {
    const { a, b, c } = await threeNodes();
    const machine = await machineAt(a);
    const open = await tunnelAt(a, echo('one'), { identity: machine, links: 4 });
    await until(() => a.edge.routes().length > 0 && b.edge.routes().length + c.edge.routes().length > 0);
    const began = performance.now();
    await c.cluster.state.revokeConnector(machine.connector);
    await until(() => [a, b, c].every((node) => !knows(node)));
    tell(`revoked on every node, open links included, after ${Math.round(performance.now() - began)} ms`);
    await expect(callHttp1(at(b, open.hostname), { method: 'POST' })).rejects.toThrow();
    const again = tunnelAt(b, echo('one'), { identity: { ...machine, port: b.edge.port } });
    await expect(again).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });
});
