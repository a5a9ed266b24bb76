// Three `edge run` processes, a real NATS, real connectors and real MCP clients.
import { describe, expect, it } from 'vitest';
import { everything } from '../support/command.ts';
import { connectSdkAgent, post } from '../support/sdkAgent.ts';
import { until } from '../support/until.ts';
import { Fleet, readiness } from './fleet.ts';
import { fleetCutKinds, fleetCutsWell } from './fleetCuts.ts';
import { tell } from './world.ts';

const urlAt = (url: string, port: number): string => {
  const at = new URL(url);
  at.port = String(port);
  return String(at);
};

describe('three edges that share a registry', () => {
  it('serve a real MCP client at any of them, and the verbs of any of them reach them all', async () => {
    const fleet = await Fleet.start();
    const machine = await fleet.machine();
    const { command, ready } = await fleet.expose(machine, 'mine', ['--', ...everything]);
    for (const { port } of fleet.nodes) {
      const { client, close } = await connectSdkAgent({ ...ready, url: urlAt(ready.url, port) });
      const answer = await client.callTool({ name: 'echo', arguments: { message: `at ${port}` } });
      expect(JSON.stringify(answer.content)).toContain(`at ${port}`);
      await close();
    }
    for (const index of [0, 1, 2]) {
      expect(await fleet.verb(index, 'routes')).toMatchObject([
        { event: 'route', hostname: 'mine.fleet.localhost', connector: machine.connector, live: expect.anything() },
        { event: 'connector', id: machine.connector },
      ]);
    }

    // A node that does not run: its verbs go to the registry.
    await fleet.nodes[2]!.command.stop();
    const [, connector] = await fleet.verb(2, 'routes');
    expect(connector).toMatchObject({ event: 'connector', id: machine.connector });
    const began = performance.now();
    await fleet.verb(2, 'revoke', machine.connector);
    const isOver = async (port: number): Promise<boolean> =>
      post({ ...ready, url: urlAt(ready.url, port) }, '{}').then(
        () => false,
        () => true,
      );
    const running = fleet.nodes.slice(0, 2);
    await until(async () => (await Promise.all(running.map(({ port }) => isOver(port)))).every(Boolean), 20_000);
    tell(`“edge revoke” had cut off everybody ${Math.round(performance.now() - began)} ms after it was typed`);
    await command.line((line) => line.event === 'state' && (line['state'] as { kind: string }).kind === 'failed');
  });

  it('say in /readyz that the registry is away, and take visitors all the same', async () => {
    const fleet = await Fleet.start(2);
    await fleet.nats.kill();
    for (const { health } of fleet.nodes) {
      await until(async () => (await readiness(health))['registry'] === 'away');
      expect(await readiness(health)).toMatchObject({ ready: true, listening: true });
    }
    await fleet.nats.restart();
    await fleet.settled();
  });
});

describe('under load', () => {
  it.each(fleetCutKinds)('nobody reads a wrong byte and nobody hangs when the %s is killed again and again', (kind) =>
    fleetCutsWell(kind, { times: 3, agentsPerNode: 2, callsBetween: 4 }),
  );
});
