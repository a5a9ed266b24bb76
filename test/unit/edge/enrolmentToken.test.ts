import { describe, expect, it } from 'vitest';
import { findByToken, isEnrolmentToken, makeEnrolmentToken, tokenDigest } from '../../../src/edge/enrolmentToken.ts';

describe('makeEnrolmentToken', () => {
  it('makes tokens of one shape that never repeat', () => {
    const tokens = Array.from({ length: 500 }, makeEnrolmentToken);
    expect(new Set(tokens).size).toBe(500);
    for (const token of tokens) expect(isEnrolmentToken(token)).toBe(true);
  });

  it('uses every digit in every place but the first', () => {
    const tokens = Array.from({ length: 2000 }, makeEnrolmentToken);
    for (let place = 6; place < 38; place++) {
      expect(new Set(tokens.map((token) => token[place])).size).toBe(62);
    }
  });
});

describe('findByToken', () => {
  it('finds the entry wherever it is, and nothing for another token', () => {
    const tokens = Array.from({ length: 5 }, makeEnrolmentToken);
    const entries = tokens.map((token, index) => ({ digest: tokenDigest(token), index }));
    tokens.forEach((token, index) => expect(findByToken(entries, token)?.index).toBe(index));
    expect(findByToken(entries, makeEnrolmentToken())).toBeUndefined();
    expect(findByToken([{ digest: 'short' }], tokens[0] ?? '')).toBeUndefined();
  });
});
