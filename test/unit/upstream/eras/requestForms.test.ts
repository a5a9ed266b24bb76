import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metaKey, modernRevision } from '../../../../src/mcp/revisions.ts';
import { legacyParams, modernParams } from '../../../../src/upstream/eras/requestForms.ts';

const reserved = new Set<string>(Object.values(metaKey));
const meta = fc
  .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true, minKeys: 1 })
  .filter((one) => Object.keys(one).every((key) => !reserved.has(key)));
const params = fc
  .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
  .filter((one) => !['_meta', 'inputResponses', 'requestState'].some((key) => Object.hasOwn(one, key)));
const envelope = { clientInfo: '{"name":"a","version":"1"}', clientCapabilities: '{"sampling":{}}', logLevel: 'info' };

describe('parameters of a request', () => {
  it('are the same after they went to the modern form and back', () => {
    fc.assert(
      fc.property(params, fc.option(meta), (asked, own) => {
        const legacy = JSON.stringify(own === null ? asked : { ...asked, _meta: own });
        const back = legacyParams(modernParams(legacy, envelope));
        expect(JSON.parse(back ?? '{}')).toEqual(JSON.parse(legacy));
      }),
    );
  });

  it('carry in modern form who asks, and keep the progress token, the trace and what nobody knows', () => {
    const legacy = '{"name":"x","n":12345678901234567890,"_meta":{"progressToken":7,"traceparent":"00-a","else":1}}';
    const modern = modernParams(legacy, envelope);
    expect(modern).toContain('"n":12345678901234567890');
    expect(JSON.parse(modern)).toMatchObject({
      name: 'x',
      _meta: {
        progressToken: 7,
        traceparent: '00-a',
        else: 1,
        [metaKey.protocolVersion]: modernRevision,
        [metaKey.clientInfo]: { name: 'a', version: '1' },
        [metaKey.clientCapabilities]: { sampling: {} },
        [metaKey.logLevel]: 'info',
      },
    });
  });

  it('say what the session knows, whatever an agent writes into its own _meta', () => {
    const forged = JSON.stringify({
      _meta: { [metaKey.clientCapabilities]: { roots: {} }, [metaKey.logLevel]: 'debug' },
    });
    const modern = JSON.parse(modernParams(forged, { clientCapabilities: '{}' })) as { _meta: object };
    expect(modern._meta).toEqual({ [metaKey.protocolVersion]: modernRevision, [metaKey.clientCapabilities]: {} });
  });

  it('are made of nothing where there are none, and become nothing again', () => {
    expect(JSON.parse(modernParams(undefined, envelope))).toHaveProperty('_meta');
    expect(legacyParams(modernParams(undefined, envelope))).toBeUndefined();
  });

  it('lose in legacy form the answers of an earlier round, and take another progress token', () => {
    const modern = '{"name":"x","inputResponses":{"a":{}},"requestState":"s","_meta":{"progressToken":"mine"}}';
    expect(legacyParams(modern, { progressToken: '4' })).toBe('{"name":"x","_meta":{"progressToken":4}}');
  });
});
