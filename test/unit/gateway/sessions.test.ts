import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxSessions, maxSessionsPerPrincipal, SessionTable, type Session } from '../../../src/gateway/sessions.ts';

const ownedBy = (principal: string): Session => ({ principal, agent: `agent of ${principal}`, era: 'legacy' });

describe('SessionTable', () => {
  it('gives a session to its principal alone', () => {
    const table = new SessionTable();
    table.add('s', ownedBy('a'));
    expect(table.find('s', 'a')).toEqual(ownedBy('a'));
    expect(table.find('s', 'b')).toBe('foreign');
    expect(table.find('t', 'a')).toBeUndefined();
    table.delete('s');
    expect(table.find('s', 'a')).toBeUndefined();
  });

  it('lets no principal push out the sessions of another', () => {
    const table = new SessionTable();
    table.add('mine', ownedBy('a'));
    for (let index = 0; index < 10 * maxSessions; index += 1) table.add(`theirs ${index}`, ownedBy('greedy'));
    expect(table.find('mine', 'a')).toEqual(ownedBy('a'));
  });

  it('forgets of one principal the session it has not used for longest', () => {
    const table = new SessionTable();
    for (let index = 0; index < maxSessionsPerPrincipal; index += 1) table.add(`s${index}`, ownedBy('a'));
    table.find('s0', 'a');
    table.add('one more', ownedBy('a'));
    expect([table.find('s0', 'a'), table.find('s1', 'a')]).toEqual([ownedBy('a'), undefined]);
  });

  it('takes from whoever holds most when there are too many of all', () => {
    const table = new SessionTable();
    const full = maxSessions / maxSessionsPerPrincipal;
    for (let index = 0; index < maxSessionsPerPrincipal; index += 1) {
      for (let who = 0; who < full; who += 1) table.add(`${who} ${index}`, ownedBy(`p${who}`));
    }
    for (let who = 0; who < 500; who += 1) table.add(`small ${who}`, ownedBy(`small ${who}`));
    for (let who = 0; who < 500; who += 1) expect(table.find(`small ${who}`, `small ${who}`)).toBeTypeOf('object');
    expect(table.find('0 0', 'p0')).toBeUndefined();
    expect(table.find(`0 ${maxSessionsPerPrincipal - 1}`, 'p0')).toBeTypeOf('object');
  });

  it('never holds more than it may, whatever comes', () => {
    const step = fc.tuple(fc.nat(8), fc.nat(3_000), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 3_000 }), (steps) => {
        const table = new SessionTable();
        for (const [who, id, isAdded] of steps) {
          if (isAdded) table.add(`s${id}`, ownedBy(`p${who}`));
          else table.delete(`s${id}`);
        }
        const held = Array.from({ length: 3_001 }, (_, id) => table.agentOf(`s${id}`)).filter((agent) => agent);
        expect(held.length).toBeLessThanOrEqual(maxSessions);
        for (const agent of new Set(held)) {
          expect(held.filter((other) => other === agent).length).toBeLessThanOrEqual(maxSessionsPerPrincipal);
        }
      }),
      { numRuns: 30 },
    );
  });
});
