import { expect, it } from 'vitest';
import { maxRemembered, RememberedTunnels } from '../../../src/extension/rememberedTunnels.ts';
import { memory } from './memory.ts';
import { tunnel } from './samples.ts';

it('remembers what is needed to open a tunnel again with the same hostname and port', async () => {
  const remembered = new RememberedTunnels(memory());
  await remembered.add(tunnel());
  expect(remembered.all).toEqual([
    {
      server: { id: 's1', name: 'everything' },
      destination: { carrier: 'embedded' },
      name: 'everything-x7k2',
      port: 4443,
    },
  ]);
});

it('holds one tunnel for a server and a destination, and forgets just that one', async () => {
  const remembered = new RememberedTunnels(memory());
  const edge = { carrier: 'edge', host: 'edge.example.com' } as const;
  await remembered.add(tunnel());
  await remembered.add(tunnel({ hostname: 'everything-new1.tunnel.localhost' }));
  await remembered.add(tunnel({ destination: edge }));
  await remembered.add(tunnel({ destination: { ...edge, host: 'other.example.com' } }));
  expect(remembered.all.map(({ name }) => name)).toEqual(['everything-new1', 'everything-x7k2', 'everything-x7k2']);

  await remembered.forget(tunnel({ destination: edge }));
  expect(remembered.all.map(({ destination }) => destination)).toEqual([
    { carrier: 'embedded' },
    { carrier: 'edge', host: 'other.example.com' },
  ]);
});

it('does not remember a tunnel that was never ready', async () => {
  const remembered = new RememberedTunnels(memory());
  const { hostname: _hostname, ...starting } = tunnel();
  await remembered.add(starting);
  expect(remembered.all).toEqual([]);
});

it('forgets the oldest beyond its bound', async () => {
  const remembered = new RememberedTunnels(memory());
  for (let index = 0; index <= maxRemembered; index += 1) {
    await remembered.add(tunnel({ server: { id: `s${index}`, name: 'n', kind: 'stdio' } }));
  }
  expect(remembered.all).toHaveLength(maxRemembered);
  expect(remembered.all[0]?.server.id).toBe('s1');
});
