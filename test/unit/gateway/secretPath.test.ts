import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { secretIn, shownTarget } from '../../../src/gateway/secretPath.ts';
import { mintToken, pathSecretPrefix } from '../../../src/identity/token.ts';
import { secretPath } from '../../../src/identity/way.ts';

const aSecret = (): string => mintToken(randomBytes, pathSecretPrefix);

describe('a path', () => {
  it('holds a secret in one place only', () => {
    const secret = aSecret();
    expect(secretIn(secretPath(secret))).toBe(secret);
    for (const path of [
      '/mcp',
      '/s/mcp',
      '/s//mcp',
      `/s/${secret}`,
      `/s/${secret}/`,
      `/s/a/b/mcp`,
      `x/s/${secret}/mcp`,
      '',
    ]) {
      expect(secretIn(path)).toBeUndefined();
    }
  });

  it('is shown without what may be a secret, wherever that stands and however it is spelled', () => {
    const separators = fc.constantFrom(
      '/mcp?',
      '/mcp?a=',
      '/',
      '//',
      '/s/',
      '/S/',
      '/./',
      '/../',
      '?',
      '&',
      '=',
      '#',
      '/mcp/',
      '/s/s/',
    );
    const spellings = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => text.toUpperCase(),
      (text) => text.toLowerCase(),
      (text) => `%${text.charCodeAt(0).toString(16)}${text.slice(1)}`,
      (text) => text.slice(0, -1),
      (text) => text.slice(5),
      (text) => Buffer.from(text).toString('base64url'),
    );
    const property = fc.property(separators, spellings, separators, (before, spell, after) => {
      const text = spell(aSecret());
      const shown = shownTarget(`${before}${text}${after}`);
      expect(shown.toLowerCase()).not.toContain(text.slice(8, 24).toLowerCase());
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('is shown without a key in its query that is called one, however short', () => {
    expect(shownTarget('/mcp?a=1&api_key=hunter2&b=2')).toBe('/mcp?a=1&api_key=[redacted]&b=2');
    expect(shownTarget('/mcp?Access-Token=%61bc')).toBe('/mcp?Access-Token=[redacted]');
  });

  it('that clients look for is shown as it is', () => {
    for (const path of [
      '/mcp?session=1',
      '/',
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/openid-configuration',
      '/favicon.ico',
    ]) {
      expect(shownTarget(path)).toBe(path);
    }
  });
});
