import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ExchangeRow } from '../../../../src/mcp/exchange.ts';
import { rowFilter, type RowFilter } from '../../../../src/mcp/filter/matchFilter.ts';
import { parseFilter } from '../../../../src/mcp/filter/parseFilter.ts';
import { row } from '../../webview/rows.ts';

function filter(text: string): RowFilter {
  const parsed = parseFilter(text);
  if (parsed.kind === 'problem') throw new Error(parsed.message);
  return rowFilter(parsed, (tunnel) => (tunnel === 't1' ? 'Everything' : undefined));
}
const matches = (text: string, changes: Partial<ExchangeRow> = {}): boolean => filter(text).row(row(1, changes));

it.each<[string, Partial<ExchangeRow>, Partial<ExchangeRow>]>([
  ['tool:echo', { name: 'Echo' }, { name: 'echo2' }],
  ['tool:echo', {}, { method: 'prompts/get' }],
  ['tool:e*o', { name: 'echo' }, { name: 'ech' }],
  ['tool:a*a', { name: 'aa' }, { name: 'a' }],
  ['tool:"e*o"', { name: 'e*o' }, { name: 'echo' }],
  ['tool:add,echo', {}, { name: 'sub' }],
  ['prompt:greet', { method: 'prompts/get', name: 'greet' }, { name: 'greet' }],
  ['resource:*/a', { method: 'resources/read', name: 'file:///a' }, { method: 'resources/read', name: 'file:///b' }],
  ['method:tools/*', {}, { method: 'ping' }],
  ['agent:claude', {}, { agent: 'cursor' }],
  ['agent:"claude"', { agent: 'claude' }, { agent: 'claude-code' }],
  ['session:abc', { session: 'abcdef01' }, {}],
  ['server:every', {}, { tunnel: 't2' }],
  ['tunnel:t1', {}, { tunnel: 't11' }],
  ['status:error,denied', { status: 'denied' }, {}],
  ['era:modern', { era: 'modern' }, {}],
  ['kind:event', { kind: 'event' }, {}],
  ['direction:server-to-agent', { direction: 'server-to-agent' }, {}],
  ['is:truncated', { flags: ['truncated'] }, {}],
  ['is:denied', { status: 'denied' }, {}],
  ['is:stranger', { stranger: true }, {}],
  ['is:event', { kind: 'event' }, {}],
  ['latency:>500', { latencyMs: 501 }, { latencyMs: 500 }],
  ['latency:<0.5s', { latencyMs: 499 }, {}],
  ['-latency:<0.5s', {}, { latencyMs: 499 }],
  ['size:30', {}, { requestBytes: 11 }],
  ['size:>=1KB', { requestBytes: 980 }, {}],
  ['code:-32099..-32000', { rpcCode: -32_010 }, { rpcCode: -32_602 }],
  ['http:4xx', { httpStatus: 403 }, { httpStatus: 500 }],
  ['-agent:claude', { agent: 'cursor' }, {}],
  ['CURSOR echo', { agent: 'Cursor' }, {}],
  ['403', { httpStatus: 403 }, {}],
  ['"not allowed"', { reason: 'it is not allowed' }, { reason: 'not, allowed' }],
])('%s lets through %j and not %j', (text, yes, no) => {
  expect([matches(text, yes), matches(text, no)]).toEqual([true, false]);
});

it('searches bodies only where asked to, by any of the texts, whatever the case', () => {
  expect(filter('tool:echo').body).toBeUndefined();
  const { body, row: rows } = filter('text:"50%","a.b" -text:Secret');
  expect(rows(row(1, { name: 'add' }))).toBe(true);
  expect(body?.(['nothing', 'it is A.B'])).toBe(true);
  expect(body?.(['a1b'])).toBe(false);
  expect(body?.(['50% of a SECRET'])).toBe(false);
});

it('a glob matches what a regular expression made of it matches', () => {
  const few = fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 }).map((all) => all.join(''));
  fc.assert(
    fc.property(few, few, (glob, name) => {
      fc.pre(glob !== '' && name !== '');
      const wanted = new RegExp(`^${glob.replace(/\*/g, '[^]*')}$`).test(name);
      expect(matches(`tool:${glob}`, { name })).toBe(wanted);
    }),
  );
});
