import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JsonValue } from '../../../src/core/json.ts';
import { maxTools, ToolCatalogue } from '../../../src/gateway/toolCatalogue.ts';

it('knows what a tool declared of itself, and nothing that it did not', () => {
  const catalogue = new ToolCatalogue();
  catalogue.learn([
    { name: 'reads', annotations: { readOnlyHint: true } },
    { name: 'writes', annotations: { readOnlyHint: false } },
    { name: 'silent' },
    { name: 'odd', annotations: { readOnlyHint: 'true' } },
    { name: 7, annotations: { readOnlyHint: true } },
  ]);
  expect(catalogue.annotations('reads')).toEqual({ readOnlyHint: true });
  expect(catalogue.annotations('writes')).toEqual({ readOnlyHint: false });
  expect(catalogue.annotations('silent')).toEqual({});
  expect(catalogue.annotations('odd')).toEqual({});
  expect(catalogue.annotations('unknown')).toBeUndefined();
  expect(catalogue.annotations('__proto__')).toBeUndefined();
});

it('believes the newest list', () => {
  const catalogue = new ToolCatalogue();
  catalogue.learn([{ name: 'tool', annotations: { readOnlyHint: true } }]);
  catalogue.learn([{ name: 'tool' }]);
  expect(catalogue.annotations('tool')).toEqual({});
});

it(`knows ${maxTools} tools; those beyond stay unknown, and known ones are still updated`, () => {
  const catalogue = new ToolCatalogue();
  const readOnly = { annotations: { readOnlyHint: true } };
  catalogue.learn(Array.from({ length: maxTools + 1 }, (_, index) => ({ name: `t${index}`, ...readOnly })));
  expect(catalogue.annotations(`t${maxTools - 1}`)).toEqual({ readOnlyHint: true });
  expect(catalogue.annotations(`t${maxTools}`)).toBeUndefined();
  catalogue.learn([{ name: 't0' }]);
  expect(catalogue.annotations('t0')).toEqual({});
});

it('takes anything a server may send', () => {
  fc.assert(fc.property(fc.jsonValue(), (tools) => new ToolCatalogue().learn(tools as JsonValue)));
});
