import { createHash, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digest, looksLikeToken, mintToken } from '../../../src/identity/token.ts';

const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('mintToken', () => {
  it('gives a text that looks like a token, whatever chance gave', () => {
    fc.assert(
      fc.property(bytes, (chance) => {
        const token = mintToken(() => chance);
        expect(token).toMatch(/^mcpt_[0-9A-Za-z]{49}$/);
        expect(looksLikeToken(token)).toBe(true);
      }),
    );
  });

  it('asks for 32 bytes and keeps every bit of them', () => {
    const asked: number[] = [];
    const of = (last: number): string => {
      const chance = new Uint8Array(32);
      chance[31] = last;
      return mintToken((size) => (asked.push(size), chance));
    };
    expect(of(0)).toBe(`mcpt_${'0'.repeat(43)}${of(0).slice(-6)}`);
    expect(of(61).slice(0, 48)).toBe(`mcpt_${'0'.repeat(42)}z`);
    expect(of(62).slice(0, 48)).toBe(`mcpt_${'0'.repeat(41)}10`);
    expect(mintToken(() => new Uint8Array(32).fill(255))).not.toBe(mintToken(() => new Uint8Array(32).fill(254)));
    expect(new Set(asked)).toEqual(new Set([32]));
  });

  it('does not change its form: tokens that were handed out stay good', () => {
    const token = mintToken(() => Uint8Array.from({ length: 32 }, (_, index) => index));
    expect(token).toBe('mcpt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP');
  });
});

describe('looksLikeToken', () => {
  it('sees every single wrong character', () => {
    const token = mintToken(randomBytes);
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === 'x' ? 'y' : 'x';
      expect(looksLikeToken(token.slice(0, at) + other + token.slice(at + 1))).toBe(false);
    }
  });

  it('says no to any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => !looksLikeToken(text)));
    const token = mintToken(randomBytes);
    for (const wrong of [` ${token}`, `${token}\n`, token.slice(0, -1), token.toUpperCase(), `${token}0`]) {
      expect(looksLikeToken(wrong)).toBe(false);
    }
  });
});

describe('digest', () => {
  it('is SHA-256 of the whole text, in hex', () => {
    const token = mintToken(randomBytes);
    expect(digest(token)).toBe(createHash('sha256').update(Buffer.from(token)).digest('hex'));
  });
});
