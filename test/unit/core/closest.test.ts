import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest } from '../../../src/core/closest.ts';

const known = ['helloMs', 'handshakeMs', 'maxConnections', 'log'];

describe('the word that was meant', () => {
  it.each([
    ['heloMs', 'helloMs'],
    ['hellomS', 'helloMs'],
    ['maxConnection', 'maxConnections'],
    ['lag', 'log'],
    ['helloSeconds', undefined],
    ['', undefined],
    ['ab', undefined],
  ])('for “%s” is %s', (word, meant) => {
    expect(closest(word, known)).toBe(meant);
  });

  it('is one of the known ones or none, whatever was written', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (word) => {
        expect([undefined, ...known]).toContain(closest(word, known));
      }),
    );
  });
});
