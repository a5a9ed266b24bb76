import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  keyOf,
  kinds,
  parseMeta,
  parseRecord,
  splitKey,
  type RouteRecord,
} from '../../../../src/edge/cluster/sharedRecords.ts';

const node = '0123456789abcdef01234567';
const route: RouteRecord = {
  label: 'everything-x7k2',
  node,
  connector: 'fedcba9876543210',
  instance: 'instance-1',
  run: 'run-1',
  sinceMs: 1,
  admission: { networks: ['192.0.2.0/24'] },
};

describe('a record of the registry', () => {
  it('is what was written, under the key that it fits', () => {
    expect(parseRecord('route', `everything-x7k2.${node}`, JSON.stringify(route))).toEqual(route);
    const key = keyOf('route', `everything-x7k2.${node}`);
    expect(splitKey(key)).toEqual({ kind: 'route', id: `everything-x7k2.${node}` });
  });

  it.each<[string, object]>([
    ['another label than its key', { ...route, label: 'another' }],
    ['a label that cannot be one', { ...route, label: 'connect' }],
    ['a node that is none', { ...route, node: 'NODE' }],
    ['a connector that is none', { ...route, connector: '../..' }],
    ['a member more', { ...route, more: 1 }],
    ['an admission that cannot be read', { ...route, admission: { networks: ['everybody'] } }],
    ['a time that is none', { ...route, sinceMs: -1 }],
  ])('with %s is none', (_what, record) => {
    expect(parseRecord('route', `everything-x7k2.${node}`, JSON.stringify(record))).toBeUndefined();
  });

  it('may be any text: it is read or it is none, and nothing is thrown', () => {
    const values = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.string(), values, (kind, id, text) => {
        expect(parseRecord(kind, id, text)).toBeUndefined();
        expect(parseMeta(text)).toBeUndefined();
      }),
    );
  });

  it('stands under a key of ours only', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const split = splitKey(text);
        if (split) expect(keyOf(split.kind, split.id)).toBe(text);
      }),
    );
    for (const key of ['', 'meta', 'route', '.x', 'routes.x', 'constructor.x']) expect(splitKey(key)).toBeUndefined();
  });
});
