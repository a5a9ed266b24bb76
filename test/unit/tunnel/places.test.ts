import { describe, expect, it } from 'vitest';
import { maxNodes, Places, type Place } from '../../../src/tunnel/places.ts';

const node = (host: string, port = 443): Place => ({ host, port });

/** Where `count` links go, one after the other. */
function fill(places: Places, count: number): Place[] {
  const present: Place[] = [];
  while (present.length < count) present.push(places.next(present));
  return present;
}

describe('Places', () => {
  it('goes to the edge itself while it has named no other node', () => {
    expect(fill(new Places(() => 0), 4)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('spreads four links over two nodes, however many there are', () => {
    const places = new Places(() => 0.5);
    places.learn(['a.edge.test', 'b.edge.test', 'c.edge.test:8443']);
    expect(fill(places, 4)).toEqual([undefined, node('b.edge.test'), undefined, node('b.edge.test')]);
  });

  it('goes elsewhere after a failure, and home again when nothing else is left', () => {
    const places = new Places(() => 0);
    places.learn(['a.edge.test']);
    places.shun(undefined);
    expect(places.next([])).toEqual(node('a.edge.test'));
    places.shun(node('a.edge.test'));
    expect(places.next([])).toBeUndefined();
  });

  it('takes up a place again that has worked since', () => {
    const places = new Places(() => 0);
    places.learn(['a.edge.test']);
    places.shun(undefined);
    places.praise(undefined);
    expect(places.next([node('a.edge.test')])).toBeUndefined();
  });

  it('looks at a bounded number of nodes, and at none that is no host and port', () => {
    const places = new Places(() => 0.999);
    places.learn([7, null, '', 'a b', 'http://x/', 'x:99999', 'y'.repeat(400), 'good.edge.test:1']);
    expect(fill(places, 2)).toEqual([undefined, node('good.edge.test', 1)]);
    places.learn(Array.from({ length: 1000 }, (_, index) => `n${index}.edge.test`));
    expect(fill(places, 2)[1]).toEqual(node(`n${maxNodes - 1}.edge.test`));
    places.learn('everything');
    expect(fill(places, 2)).toHaveLength(2);
  });
});
