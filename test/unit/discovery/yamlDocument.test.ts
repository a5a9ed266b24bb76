import * as fc from 'fast-check';
import { getNodeValue } from 'jsonc-parser';
import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { maxYamlNodes, YamlDocument } from '../../../src/discovery/yamlDocument.ts';

const valueOf = (text: string): unknown => {
  const { root } = new YamlDocument(text);
  return root && getNodeValue(root);
};
const faultsOf = (text: string) => new YamlDocument(text).faults.map(({ line, message }) => `${line} ${message}`);

describe('YamlDocument', () => {
  it('is the tree that JSON of the same content would be', () => {
    const json = fc.json({ maxDepth: 4, stringUnit: 'grapheme-ascii' }).filter((text) => text !== '""');
    fc.assert(
      fc.property(json, (text) => {
        const value: unknown = JSON.parse(text);
        expect(valueOf(stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('knows where a value stands', () => {
    const document = new YamlDocument('a: 1\nb:\n  - x\n');
    const list = document.root?.children?.[1]?.children?.[1]?.children?.[0];
    expect(document.place(list?.offset ?? -1)).toEqual({ line: 3, column: 5 });
  });

  it('follows an alias, and refuses one that leads back to itself', () => {
    expect(valueOf('a: &x [1]\nb: *x\n')).toEqual({ a: [1], b: [1] });
    expect(faultsOf('a: &x\n  b: *x\n')).toEqual(['1 the alias *x leads back to itself']);
  });

  it('does not let a few aliases grow into millions of values', () => {
    const levels = Array.from({ length: 12 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n},`.repeat(9)}]`);
    expect(faultsOf(`l0: &l0 x\n${levels.join('\n')}`)).toEqual([`1 the file holds more than ${maxYamlNodes} values`]);
  });

  it.each([
    ['', '1 the file is empty'],
    ['['.repeat(200), '1 the file is nested too deeply'],
    [`${'- '.repeat(20_000)}x`, '1 the file is nested too deeply'],
  ])('refuses %j', (text, fault) => {
    expect(faultsOf(text)).toContain(fault);
  });

  it('marks what a syntax error lies in as damaged, and nothing beside it', () => {
    const document = new YamlDocument('a:\n  x: 1\nb:\n  y: "open\nc: 2\n');
    expect(document.faults.length).toBeGreaterThan(0);
    const [a, b] = (document.root?.children ?? []).map((property) => property.children?.[1]);
    expect([a && document.isDamaged(a), b && document.isDamaged(b)]).toEqual([false, true]);
  });

  it('throws on no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const { line, message } of new YamlDocument(text).faults) expect(line >= 1 && message !== '').toBe(true);
      }),
    );
  });
});
