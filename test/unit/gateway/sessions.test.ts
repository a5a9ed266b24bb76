import { expect, it } from 'vitest';
import { maxSessions, SessionTable, type Session } from '../../../src/gateway/sessions.ts';

const session: Session = { principal: 'p', agent: 'a', era: 'legacy' };

it('a session is found by its principal, and is foreign to any other', () => {
  const table = new SessionTable();
  table.add('s', session);
  expect(table.find('s', 'p')).toEqual(session);
  expect(table.find('s', 'q')).toBe('foreign');
  expect(table.find('t', 'p')).toBeUndefined();
  expect([table.agentOf('s'), table.agentOf('t')]).toEqual(['a', undefined]);
  table.delete('s');
  expect(table.find('s', 'p')).toBeUndefined();
});

it(`${maxSessions} sessions are remembered; the one unused for longest makes room`, () => {
  const table = new SessionTable();
  for (let index = 0; index < maxSessions; index += 1) table.add(`s${index}`, session);
  expect(table.find('s0', 'p')).toEqual(session);
  // Guessing at a session does not keep it alive.
  expect(table.find('s1', 'q')).toBe('foreign');
  table.add('new', session);
  expect(table.find('s0', 'p')).toEqual(session);
  expect(table.find('s1', 'p')).toBeUndefined();
});
