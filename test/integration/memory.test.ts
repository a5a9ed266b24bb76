// Readers who never read, by the dozen: what the edge holds for them is bounded, and nobody else notices.
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { knownFramings } from '../../src/wire/framings.ts';
import { callHttp1, openHttp1 } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, openTunnel } from '../support/relay.ts';
import { until } from '../support/until.ts';

const mebibyte = 1 << 20;
const block = randomBytes(64 * 1024);

const serve: Serve = (request, response) => {
  if (request.url !== '/endless') return void (response as NodeJS.WritableStream).end('small');
  const endless = new Readable({
    read() {
      this.push(block);
    },
  });
  response.on('close', () => endless.destroy());
  endless.pipe(response as NodeJS.WritableStream);
};

it.each(knownFramings)(
  '100 readers who never read are cut down to what the edge may hold (%s)',
  { timeout: 120_000 },
  async (framing) => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const maxHeldBytesPerConnector = 24 * mebibyte;
    const world = await aWorld({ framings: [framing], limits: { maxHeldBytesPerConnector } }, clock);
    const { hostname } = await openTunnel(world, serve);
    const target = { hostname, port: world.edge.port, ca: world.authority.certificatePem };
    const readers: Readable[] = [];
    onTestFinished(() => {
      for (const reader of readers) reader.destroy();
    });
    for (let reader = 0; reader < 100; reader += 1) {
      readers.push((await openHttp1(target, { path: '/endless' })).on('error', () => {}).pause());
    }
    // Whoever survives fills a window of 4 MiB that may be half renewed, so there is room for 6 to 12.
    await until(
      () => world.edge.counters.overHeldBytes >= 88,
      90_000,
      () => JSON.stringify(world.edge.counters),
    );
    expect((await callHttp1(target)).body.toString()).toBe('small');
    expect(world.edge.counters.overHeldBytes).toBeLessThan(100);
    expect(world.edge.routes()).toHaveLength(1);
  },
);
