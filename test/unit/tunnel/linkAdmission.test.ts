// Who may come in, said anew over links that come and go.
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { claimMs } from '../../../src/tunnel/link.ts';
import { linkWorld } from '../../support/linkWorld.ts';
import { until } from '../../support/until.ts';

describe('who may come in', () => {
  const networks = { networks: ['192.0.2.0/24'] };

  it('is told over a link that was being opened meanwhile, or the link does not stay', async () => {
    const { start, connector, ends, edge, wait } = await linkWorld({ wanted: 2 });
    let goOn = (): void => {};
    edge.claim = (_claim, end) => {
      if (end === ends[0]) return undefined;
      return new Promise((resolve) => (goOn = resolve));
    };
    await start();
    await until(() => ends.length === 2);
    await connector.letIn(networks);
    expect(ends[0]?.claim?.admission).toEqual(networks);
    edge.claim = (claim, end) => {
      if (end === ends[1] && claim.admission) throw new TunnelError('LIMIT', 'no');
    };
    goOn();
    await until(() => ends[1]?.session.closed === true);
    edge.claim = () => undefined;
    await wait(() => connector.links.up === 2, 10_000);
    expect(ends.filter(({ session }) => !session.closed).map(({ claim }) => claim?.admission)).toEqual([
      networks,
      networks,
    ]);
  });

  it('an edge that never answers holds up neither the change nor the end', async () => {
    const { start, connector, ends, edge, clock } = await linkWorld({ wanted: 2 });
    let goOn = (): void => {};
    edge.claim = (_claim, end) => (end === ends[0] ? undefined : new Promise((resolve) => (goOn = resolve)));
    await start();
    await until(() => ends.length === 2);
    edge.claim = () => new Promise(() => {});
    const changed = connector.letIn(networks);
    await until(() => clock.pending > 0);
    clock.advance(claimMs);
    await changed;
    await until(() => ends[0]?.session.closed === true);
    goOn(); // The second is up, and is told, and the edge says nothing again.
    await connector.close();
  });

  it('a link over which the edge answers neither yes nor no is opened anew', async () => {
    const { start, connector, ends, edge, wait } = await linkWorld({ wanted: 1 });
    await start();
    edge.claim = () => {
      throw new TunnelError('INTERNAL', 'something');
    };
    await connector.letIn(networks);
    await until(() => ends[0]?.session.closed === true);
    edge.claim = () => undefined;
    await wait(() => connector.links.up === 1, 1000);
    expect(ends.at(-1)?.claim?.admission).toEqual(networks);
  });

  it('two changes at once are made one after the other: a refusal does not undo the other one', async () => {
    const { start, connector, ends, edge } = await linkWorld({ wanted: 1 });
    edge.claim = ({ admission }) => {
      if (admission?.asns) throw new TunnelError('USAGE', 'not here');
    };
    await start();
    const both = await Promise.allSettled([connector.letIn({ asns: [64500] }), connector.letIn(networks)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(ends[0]?.claim?.admission).toEqual(networks);
  });
});
