import { describe, expect, it } from 'vitest';
import { legacyError, modernError } from '../../../../src/upstream/eras/errorForms.ts';

const missing = '{"code":-32602,"message":"not found","data":{"uri":"a://b","n":1.0}}';

describe('errors', () => {
  it('tell a missing resource with the number of each era, and keep everything else', () => {
    const legacy = legacyError('resources/read', 'a://b', missing);
    expect(legacy).toBe('{"code":-32002,"message":"not found","data":{"uri":"a://b","n":1.0}}');
    expect(modernError(legacy)).toBe(missing);
  });

  it('stay as they are where they mean something else', () => {
    expect(legacyError('resources/read', 'a://c', missing)).toBe(missing);
    expect(legacyError('tools/call', undefined, missing)).toBe(missing);
    expect(modernError('{"code":-32603,"message":"x"}')).toBe('{"code":-32603,"message":"x"}');
  });
});
