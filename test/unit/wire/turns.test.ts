import { describe, expect, it } from 'vitest';
import { collect } from '../../support/agents.ts';
import { linkPair } from '../../support/linkPair.ts';
import { until } from '../../support/until.ts';

describe('streams of a framed link', () => {
  it('take turns: what is small is there before what is large and was written earlier', async () => {
    const { edge, taken } = await linkPair('frames');
    const [large, small] = ['large', 'small'].map((name) => edge.openStream({ hostname: name, visitor: '' }));
    await until(() => taken.length === 2);
    const order: string[] = [];
    large!.once('end', () => order.push('large'));
    small!.once('end', () => order.push('small'));
    taken[0]!.stream.end(Buffer.alloc(32 << 20));
    taken[1]!.stream.end(Buffer.alloc(20_000));
    const [first, second] = await Promise.all([collect(large!), collect(small!)]);
    expect([first.length, second.length]).toEqual([32 << 20, 20_000]);
    expect(order).toEqual(['small', 'large']);
  });

  it('wait for nothing that the control conversation has to say', async () => {
    const { edge, control, taken } = await linkPair('frames');
    edge.control.handle('route/claim', ({ label }) => ({ hostname: label, port: 1 }));
    control.start();
    const large = edge.openStream({ hostname: 'large', visitor: '' });
    await until(() => taken.length === 1);
    taken[0]!.stream.end(Buffer.alloc(32 << 20));
    let isOver = false;
    large.once('end', () => (isOver = true));
    const body = collect(large);
    await control.request('route/claim', { label: 'a', instance: 'i', run: 'r' });
    expect(isOver).toBe(false);
    await body;
  });
});

describe('a framed link', () => {
  it('carries more in both directions at once than the kernel would take', { timeout: 120_000 }, async () => {
    const size = 8 << 20;
    const { edge } = await linkPair('frames', undefined, ({ stream }) => void stream.resume().end(Buffer.alloc(size)));
    const bodies = Array.from({ length: 8 }, async () => {
      const stream = edge.openStream({ hostname: 'a', visitor: '' });
      stream.end(Buffer.alloc(size));
      return (await collect(stream)).length;
    });
    expect(await Promise.all(bodies)).toEqual(bodies.map(() => size));
  });
});
