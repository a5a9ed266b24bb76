import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxFaults, maxNesting } from '../../../src/discovery/configDocument.ts';
import { JsoncDocument } from '../../../src/discovery/jsoncDocument.ts';

const faultsOf = (text: string) => new JsoncDocument(text).faults;

describe('JsoncDocument', () => {
  it('reads comments and trailing commas without a word', () => {
    expect(faultsOf('// one\n{ /* two */ "a": [1, 2,], }\n')).toEqual([]);
  });

  it('says where a fault stands, whatever ends the lines', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      expect(faultsOf(`{${end}  "a": 1${end}  "b": 2${end}}`)).toEqual([
        { line: 3, column: 3, message: 'a comma is missing here' },
      ]);
    }
  });

  it('names the empty file and the one that just ends', () => {
    expect(faultsOf(' \n')).toEqual([{ line: 1, column: 1, message: 'the file is empty' }]);
    expect(faultsOf('{"a": {')).toMatchObject([{ line: 1, message: 'the file ends where a } is missing' }]);
  });

  it('stops at a nesting that would exhaust the stack, and reads the deepest it promises', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(faultsOf(nested(maxNesting))).toEqual([]);
    expect(faultsOf(nested(500_000))).toMatchObject([
      { message: 'the file is nested too deeply', column: maxNesting + 1 },
    ]);
    expect(faultsOf('{"a":'.repeat(100_000))).toMatchObject([{ message: 'the file is nested too deeply' }]);
  });

  it('tells damaged nodes from sound ones', () => {
    const document = new JsoncDocument('{"a": {"x": tru}, "b": {"y": 1}, "c": {"z": {"deep": 1}');
    const [a, b, c] = (document.root?.children ?? []).map((property) => property.children?.[1]);
    expect([a, b, c].map((node) => node && document.isDamaged(node))).toEqual([true, false, true]);
  });

  it('never throws, and places every fault inside the text', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"a"',
      'tru',
      '1',
      '//',
      '/*',
      '\n',
      '\\u12',
      '\0',
      'é',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const document = new JsoncDocument(text);
        expect(document.faults.length).toBeLessThanOrEqual(maxFaults);
        const lines = text.split(/\r\n|\n|\r/);
        for (const { line, column } of document.faults) {
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? -1) + 2);
        }
      }),
      { numRuns: 500 },
    );
  });
});
