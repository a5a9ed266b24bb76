import { describe, expect, it } from 'vitest';
import { hopByHop } from '../../../src/core/hopByHop.ts';

describe('hopByHop', () => {
  it('holds what belongs to one hop, and lets the rest cross', () => {
    const goesNoFurther = hopByHop(undefined);
    for (const name of ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']) {
      expect(goesNoFurther(name)).toBe(true);
    }
    for (const name of ['accept', 'mcp-session-id', 'content-type', '']) expect(goesNoFurther(name)).toBe(false);
  });

  it('holds what the Connection header names, in any case and spacing', () => {
    const goesNoFurther = hopByHop('close,  X-Private ,mcp-session-id');
    for (const name of ['close', 'x-private', 'mcp-session-id']) expect(goesNoFurther(name)).toBe(true);
    expect(goesNoFurther('accept')).toBe(false);
  });
});
