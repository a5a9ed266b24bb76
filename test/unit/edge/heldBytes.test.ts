import { describe, expect, it } from 'vitest';
import { HeldBytes, heldCheckMs, type Slow } from '../../../src/edge/heldBytes.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const tenant = 'one';
const otherTenant = 'other';

function world(maxPerTenant: number, max: number) {
  const clock = new FakeClock();
  const cut: string[] = [];
  const held = new HeldBytes({
    clock,
    limits: { maxHeldBytesPerConnector: maxPerTenant, maxHeldBytes: max },
    onCut: () => {},
  });
  const slow = (name: string, bytes: number, whose = tenant): Slow => {
    const one = { tenant: whose, held: () => bytes, cut: () => void cut.push(name) };
    held.add(one);
    return one;
  };
  return { clock, cut, held, slow };
}

describe('memory held for visitors who do not read', () => {
  it('is let be up to the limit', () => {
    const { clock, cut, slow } = world(100, 1000);
    slow('a', 50);
    slow('b', 50);
    clock.advance(heldCheckMs * 3);
    expect(cut).toEqual([]);
  });

  it('over the limit of its connector costs the largest its connection, and only as many as needed', () => {
    const { clock, cut, slow } = world(100, 1000);
    slow('small', 20);
    slow('largest', 70);
    slow('middle', 60);
    slow('elsewhere', 90, otherTenant);
    clock.advance(heldCheckMs);
    expect(cut).toEqual(['largest']);
    clock.advance(heldCheckMs * 3);
    expect(cut).toEqual(['largest']);
  });

  it('over the limit of the edge costs the largest of the connector for which most waits', () => {
    const { clock, cut, slow } = world(100, 150);
    slow('here', 80);
    slow('there', 90, otherTenant);
    clock.advance(heldCheckMs);
    expect(cut).toEqual(['there']);
  });

  it('is taken from whoever has most, never from the visitors of somebody who has less', () => {
    const { clock, cut, slow } = world(1000, 300);
    slow('largest of all, of a tenant with little', 100, otherTenant);
    for (const name of ['a', 'b', 'c', 'd', 'e']) slow(name, 60);
    clock.advance(heldCheckMs);
    expect(cut).toHaveLength(2);
    expect(cut.every((name) => name.length === 1)).toBe(true);
  });

  it('is not looked at when nobody is behind', () => {
    const { clock, held, slow } = world(100, 1000);
    expect(clock.pending).toBe(0);
    const one = slow('a', 1000);
    expect(clock.pending).toBe(1);
    held.delete(one);
    expect(clock.pending).toBe(0);
    const other = slow('b', 1000);
    clock.advance(heldCheckMs);
    expect(clock.pending).toBe(0); // The only one was cut off.
    held.delete(other);
  });
});
