import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteBuffer } from '../../../src/core/byteBuffer.ts';

it('gives back what was put in, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      const buffer = new ByteBuffer();
      for (const part of parts) buffer.append(part);
      const expected = Uint8Array.from(parts.flatMap((part) => [...part]));
      expect(buffer.length).toBe(expected.length);
      expect(buffer.copy()).toEqual(expected);
      expect(buffer.take()).toEqual(expected);
      expect(buffer.length).toBe(0);
    }),
  );
});

it('never touches again what it gave away', () => {
  const buffer = new ByteBuffer();
  buffer.append(Uint8Array.of(1, 2));
  buffer.append(Uint8Array.of(3));
  const taken = buffer.take();
  buffer.append(Uint8Array.of(9, 9, 9));
  expect(taken).toEqual(Uint8Array.of(1, 2, 3));
});
