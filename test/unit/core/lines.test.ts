import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../src/core/lines.ts';

type Seen = { lines: string[]; bytes: Uint8Array[]; overlong: string[] };

function splitter(maxLineBytes = 1_000): { splitter: LineSplitter; seen: Seen } {
  const seen: Seen = { lines: [], bytes: [], overlong: [] };
  return {
    seen,
    splitter: new LineSplitter({
      maxLineBytes,
      onLine: (line, bytes) => {
        seen.lines.push(line);
        seen.bytes.push(bytes);
      },
      onOverlong: (error) => seen.overlong.push(error.code),
    }),
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** `bytes` in pieces that end at `cuts` (any numbers; taken modulo the length). */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((to, index) => bytes.slice(index === 0 ? 0 : places[index - 1], to));
}

describe('LineSplitter', () => {
  it('gives each line without its end, whether LF or CRLF', () => {
    const { splitter: it, seen } = splitter();
    it.push(bytesOf('one\ntwo\r\n\nthree'));
    expect(seen.lines).toEqual(['one', 'two', '']);
  });

  it('counts a last line without LF at the end of the input', () => {
    const { splitter: it, seen } = splitter();
    it.push(bytesOf('one\ntwo'));
    it.end();
    it.end();
    expect(seen.lines).toEqual(['one', 'two']);
  });

  it('does not split at the other characters that Unicode calls line ends', () => {
    const { splitter: it, seen } = splitter();
    it.push(bytesOf('a\u2028b\u0085c\rd\n'));
    expect(seen.lines).toEqual(['a\u2028b\u0085c\rd']);
  });

  it('drops an overlong line whole, says so once, and reads the next one', () => {
    const { splitter: it, seen } = splitter(4);
    it.push(bytesOf('abc'));
    it.push(bytesOf('def'));
    it.push(bytesOf('ghi\nnext\n'));
    expect(seen.overlong).toEqual(['LIMIT']);
    expect(seen.lines).toEqual(['next']);
  });

  it('reports an overlong line before it ends, so that nobody waits for it', () => {
    const { splitter: it, seen } = splitter(4);
    it.push(bytesOf('abcde'));
    expect(seen.overlong).toEqual(['LIMIT']);
    it.end();
    expect(seen.lines).toEqual([]);
  });

  it('hands out the exact bytes, also those that are no UTF-8', () => {
    const { splitter: it, seen } = splitter();
    it.push(Uint8Array.of(0x22, 0xff, 0x22, 0x0d, 0x0a));
    expect(seen.bytes).toEqual([Uint8Array.of(0x22, 0xff, 0x22)]);
    expect(seen.lines).toEqual(['"\ufffd"']);
  });

  it('keeps what it was given when the source uses its buffer again', () => {
    const { splitter: it, seen } = splitter();
    const buffer = bytesOf('ab');
    it.push(buffer);
    buffer.fill(0x78);
    it.push(bytesOf('c\n'));
    expect(seen.lines).toEqual(['abc']);
  });

  it('holds no more than the line itself when bytes come one by one', () => {
    const { splitter: it, seen } = splitter(2_000_000);
    const one = Uint8Array.of(0x61);
    for (let count = 0; count < 1_000_000; count += 1) it.push(one);
    it.push(Uint8Array.of(0x0a));
    expect(seen.bytes[0]!.length).toBe(1_000_000);
    expect(seen.bytes[0]!.buffer.byteLength).toBeLessThanOrEqual(2_000_000);
  });

  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat()), (texts, cuts) => {
        const bytes = bytesOf(texts.join('\n'));
        const whole = splitter();
        whole.splitter.push(bytes);
        whole.splitter.end();
        const cut = splitter();
        for (const piece of pieces(bytes, cuts)) cut.splitter.push(piece);
        cut.splitter.end();
        expect(cut.seen).toEqual(whole.seen);
      }),
    );
  });
});
