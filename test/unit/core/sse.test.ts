import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSse, SseReader, type SseEvent } from '../../../src/core/sse.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

function read(chunks: readonly (string | Uint8Array)[], maxEventBytes = 10_000): { events: SseEvent[]; rest: string } {
  const events: SseEvent[] = [];
  const reader = new SseReader({ maxEventBytes, onEvent: (event) => events.push(event) });
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? bytesOf(chunk) : chunk);
  return { events, rest: textOf(reader.rest) };
}

const said = (events: readonly SseEvent[]): string[] =>
  events.filter(({ data }) => data !== '').map(({ type, id, data }) => `${type}|${id ?? ''}|${data}`);

describe('SseReader', () => {
  it('reads type, id and data; a type that is absent is "message"', () => {
    const { events } = read(['event: ping\nid: 7\ndata: a\ndata: b\n\ndata:c\n\n']);
    expect(said(events)).toEqual(['ping|7|a\nb', 'message||c']);
  });

  it.each(['\n', '\r', '\r\n'])('ends lines at %j', (end) => {
    expect(said(read([['data: a', 'id: 1', '', 'data: b', '', ''].join(end)]).events)).toEqual([
      'message|1|a',
      'message||b',
    ]);
  });

  it('passes an event on at its last byte, without waiting for the LF of a CRLF', () => {
    expect(said(read(['data: a\r\n\r']).events)).toEqual(['message||a']);
  });

  it('passes comments and priming events on, with no data', () => {
    const { events } = read([': keep-alive\n\n', 'id: 1\nretry: 500\ndata: \n\n']);
    expect(events.map(({ data, id }) => [data, id])).toEqual([
      ['', undefined],
      ['', '1'],
    ]);
  });

  it('keeps what is left of an event that never ended', () => {
    expect(read(['data: a\n\ndata: b\n']).rest).toBe('data: b\n');
  });

  it('takes a byte order mark for one only at the start of the stream', () => {
    expect(said(read(['\ufeffdata: a\n\n\ufeffdata: b\n\n']).events)).toEqual(['message||a']);
  });

  it('ignores an id with NUL and fields it does not know', () => {
    expect(said(read(['id: a\0b\nfoo: bar\ndata\ndata: x\n\n']).events)).toEqual(['message||\nx']);
  });

  it('refuses an event over its bound, also one that never ends its line', () => {
    expect(() => read(['data: ', 'x'.repeat(50), 'x'.repeat(50)], 60)).toThrow(RangeError);
    expect(said(read(['data: abc\n\n', 'data: abc\n\n', 'data: abc\n\n'], 11).events)).toHaveLength(3);
  });

  it('gives the same events however the bytes are cut, and their raw bytes are the stream', () => {
    const line = fc.oneof(
      fc.string({ unit: 'grapheme' }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
      fc.constantFrom('', '', ':c', 'id: 3', 'event: e', 'data', 'retry: 1'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n'))), fc.array(fc.nat()), (lines, cuts) => {
        const bytes = bytesOf(lines.flat().join(''));
        const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
        const chunks = [...places, bytes.length].map((to, at) => bytes.slice(at === 0 ? 0 : places[at - 1], to));
        const cut = read(chunks);
        const whole = read([bytes]);
        expect(said(cut.events)).toEqual(said(whole.events));
        expect(cut.events.map(({ raw }) => textOf(raw)).join('') + cut.rest).toBe(textOf(bytes));
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatSse', () => {
  it('writes what SseReader reads back', () => {
    const [event] = read([formatSse({ type: 'message', id: 'p1-3', retryMs: 500, data: 'a\nb\r\nc' })]).events;
    expect(event).toMatchObject({ type: 'message', id: 'p1-3', data: 'a\nb\nc' });
  });
});
