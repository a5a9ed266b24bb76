// A denied resource must not be reachable under another spelling.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPlainUri } from '../../../src/policy/plainUri.ts';

describe('one resource has one plain form', () => {
  it.each([
    'file://localhost/etc/passwd',
    'file:/etc/passwd',
    'file:////etc/passwd',
    'file:///etc//passwd',
    'file:///etc/passwd?',
    'file:///etc/passwd#',
    'https://EXAMPLE.com/a',
    'https://example.com:443/a',
    'https://example.com:/a',
    'https://example.com./a',
    'https://user@example.com/a',
    'https:example.com/a',
    'https://example.com//a',
    'https://example.com',
  ])('%s is none', (uri) => expect(isPlainUri(uri)).toBe(false));

  it.each([
    'file:///etc/passwd',
    'https://example.com:8443/a?b=c#d',
    'demo://resource/static/1',
    'demo:x',
    'note://board/1',
  ])('%s is one', (uri) => expect(isPlainUri(uri)).toBe(true));

  it('is what URL readers make of it', () => {
    const segment = fc.stringMatching(/^[a-z0-9._~-]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('file://', 'https://h.example'),
        (path, head) => {
          const uri = `${head}/${path.join('/')}`;
          fc.pre(isPlainUri(uri));
          expect(new URL(uri).href).toBe(uri);
        },
      ),
    );
  });
});
