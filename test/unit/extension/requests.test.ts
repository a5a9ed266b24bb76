// What an agent or a link may ask for, and nothing beyond it.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLink, serverCalled } from '../../../src/extension/requests.ts';
import { server } from './samples.ts';

describe('a link', () => {
  it('names a server of the workspace', () => {
    expect(readLink('/expose', 'server=every%20thing')).toEqual({ kind: 'expose', server: 'every thing' });
  });

  it.each([
    ['/expose', ''],
    ['/expose', 'server='],
    ['/expose', `server=${'x'.repeat(201)}`],
    ['/', 'server=a'],
    ['/expose/', 'server=a'],
    ['/run', 'server=a'],
  ])('that is none of ours is refused: %s?%s', (path, query) => {
    expect(readLink(path, query)).toEqual({ kind: 'refused', reason: 'unknown' });
  });

  it.each(['command=rm', 'url=http://x', 'destination=edge.evil.example', 'grant=all', 'server=b', 'consent=abc'])(
    'that brings %s along is refused as a whole',
    (more) => {
      expect(readLink('/expose', `server=a&${more}`)).toEqual({ kind: 'refused', reason: 'more' });
    },
  );

  it('never gives more than one name, whatever its text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (path, query) => {
        const link = readLink(path, query);
        expect(Object.keys(link).sort()).toEqual(link.kind === 'expose' ? ['kind', 'server'] : ['kind', 'reason']);
      }),
    );
  });
});

describe('a name', () => {
  const servers = [server({ id: '1', name: 'a' }), server({ id: '2', name: 'b' }), server({ id: '3', name: 'b' })];

  it('is that of a server that was found, exactly', () => {
    expect(serverCalled('a', servers)).toMatchObject({ kind: 'found', server: { id: '1' } });
  });

  it.each(['A', ' a', '1', '', 'c', undefined, 7, { name: 'a' }, ['a']])('%j is none', (name) => {
    expect(serverCalled(name, servers)).toEqual({ kind: 'none' });
  });

  it('of several servers means none of them', () => {
    expect(serverCalled('b', servers)).toEqual({ kind: 'several' });
  });
});
