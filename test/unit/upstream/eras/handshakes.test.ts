import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  discoverResult,
  initializeResult,
  legacyCapabilities,
  modernCapabilities,
  negotiated,
} from '../../../../src/upstream/eras/handshakes.ts';

const serverInfo = { name: 's', version: '1', icons: [{ src: 'data:image/png;base64,' }] };

describe('handshakes', () => {
  it('say the same of a server after they went to the modern form and back', () => {
    fc.assert(
      fc.property(
        fc.record({
          tools: fc.record({ listChanged: fc.boolean() }),
          logging: fc.constant({}),
          experimental: fc.object(),
        }),
        fc.option(fc.string()),
        (capabilities, instructions) => {
          const legacy = {
            protocolVersion: '2025-06-18',
            capabilities,
            serverInfo,
            ...(instructions === null ? {} : { instructions }),
            more: 1,
          };
          const text = JSON.stringify(legacy);
          expect(JSON.parse(initializeResult(discoverResult(text), '2025-06-18'))).toEqual(JSON.parse(text));
        },
      ),
    );
  });

  it('of a legacy server become those of a modern one that nobody may keep', () => {
    const text = JSON.stringify({ protocolVersion: '2025-06-18', capabilities: { tasks: {}, tools: {} }, serverInfo });
    expect(JSON.parse(discoverResult(text))).toEqual({
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
    });
  });

  it('name a server that does not name itself', () => {
    const { serverInfo } = JSON.parse(initializeResult('{"capabilities":{}}', '2025-11-25')) as { serverInfo: unknown };
    expect(serverInfo).toEqual({ name: 'unknown', version: '0' });
  });

  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
    'agree on %s where the agent asks for it',
    (revision) => {
      expect(negotiated(revision)).toBe(revision);
    },
  );

  it.each(['2026-07-28', '1999-01-01', 7, undefined])(
    'offer the newest of the older ones where it asks for %j',
    (revision) => {
      expect(negotiated(revision)).toBe('2025-11-25');
    },
  );

  it('do not promise tasks of the other era, nor news of roots', () => {
    const capabilities =
      '{"tasks":{},"roots":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}}';
    expect(modernCapabilities(capabilities)).toBe('{"roots":{},"extensions":{"x/y":{}}}');
    expect(legacyCapabilities(capabilities)).toBe('{"roots":{"listChanged":true},"extensions":{"x/y":{}}}');
  });
});
