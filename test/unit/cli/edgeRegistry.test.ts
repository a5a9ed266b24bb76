import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registryUrls } from '../../../src/cli/edgeRegistry.ts';
import { TunnelError } from '../../../src/core/errors.ts';

describe('--registry', () => {
  it('takes NATS with or without TLS, several of them, and memory for none', () => {
    expect(registryUrls('nats://127.0.0.1:4222', undefined)).toEqual(['nats://127.0.0.1:4222']);
    expect(registryUrls('tls://nats.example.com/', ['nats://[::1]:4222'])).toEqual([
      'nats://[::1]:4222',
      'tls://nats.example.com',
    ]);
    expect(registryUrls('memory', undefined)).toEqual([]);
  });

  it.each([
    'nats://',
    'http://nats.example.com',
    'nats.example.com:4222',
    'nats://a:b:c',
    'nats://host:99999',
    'nats://a b',
  ])('refuses %s', (text) => {
    expect(() => registryUrls(text, undefined)).toThrow(TunnelError);
  });

  it('refuses credentials in a URL, which everybody on the machine could read, and does not repeat them', () => {
    for (const text of ['nats://edge:sesame@127.0.0.1:4222', 'tls://sesame@127.0.0.1']) {
      expect(() => registryUrls(text, undefined)).toThrow(/--registry-creds/);
      expect(() => registryUrls(text, undefined)).not.toThrow(/sesame/);
    }
  });

  it('may be any text: a URL without credentials, or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `nats://${text}`),
        ),
        (text) => {
          try {
            for (const url of registryUrls(text, undefined)) expect(url).toMatch(/^(nats|tls):\/\/[^@/?#]+$/);
          } catch (error) {
            expect(error).toBeInstanceOf(TunnelError);
          }
        },
      ),
    );
  });
});
