import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { edgeRefusal } from '../../../src/tunnel/edgeRefusal.ts';

describe('what an edge says of a claim', () => {
  it('passes when it is about names or certificates', () => {
    const busy = new TunnelError('ROUTE_BUSY', 'held by another tunnel');
    expect(edgeRefusal(busy)).toMatchObject({ code: 'ROUTE_BUSY', message: busy.message, retryable: true });
    const lost = { code: 'ROUTE_BUSY', message: 'taken over', retryable: false };
    expect(edgeRefusal(lost)).toMatchObject(lost);
  });

  it('is a fault of the edge when it is about anything else', () => {
    const denied = { code: 'DESTINATION_DENIED', message: 'by my policy', data: { file: '/etc/passwd' } };
    const error = edgeRefusal(denied);
    expect(error).toMatchObject({ code: 'EDGE_UNREACHABLE', retryable: true, data: undefined });
    expect(error.message).toContain('by my policy');
  });

  it('is an error, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record({ code: fc.anything(), message: fc.anything() })), (value) => {
        expect(edgeRefusal(value)).toBeInstanceOf(TunnelError);
      }),
    );
  });
});
