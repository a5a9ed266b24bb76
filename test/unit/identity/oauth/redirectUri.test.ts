import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redirectTarget, redirectUriAllowed, redirectUriProblem } from '../../../../src/identity/oauth/redirectUri.ts';

describe('what a client may register', () => {
  it.each([
    'https://claude.ai/api/mcp/auth_callback',
    'https://chatgpt.com/connector/oauth/abc',
    'https://vscode.dev/redirect',
    'http://127.0.0.1/',
    'http://127.0.0.1:33418/',
    'http://localhost:7777/oauth/callback',
    'http://[::1]:8080/callback',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'com.example.app:/oauth',
    'https://example.com/callback?tenant=1',
  ])('%s', (uri) => expect(redirectUriProblem(uri)).toBeUndefined());

  it.each([
    'http://example.com/callback',
    'http://localhost.example.com/callback',
    'http://127.0.0.1.example.com/callback',
    'http://127.0.0.1:80@example.com/',
    'http://127.1/callback',
    'http://0x7f000001/callback',
    'http://LOCALHOST/callback',
    'https://user:secret@example.com/callback',
    'https://example.com/callback#fragment',
    'https://example.com\\@evil.example/',
    'https://example.com/\n/evil',
    ' https://example.com/',
    'https://exämple.com/',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'blob:https://example.com/x',
    'about:blank',
    'ws://example.com',
    'view-source:https://example.com',
    '/callback',
    '//example.com/callback',
    'https://',
    '',
    `https://example.com/${'x'.repeat(1_024)}`,
    42,
    null,
    ['https://example.com'],
  ])('not %s', (uri) => expect(redirectUriProblem(uri)).toBeTypeOf('string'));
});

describe('where a code may be sent', () => {
  const registered = [
    'https://example.com/cb',
    'http://127.0.0.1:1234/cb',
    'http://localhost/cb?x=1',
    'http://[::1]/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
  ];

  it.each([
    'https://example.com/cb',
    'http://127.0.0.1:1234/cb',
    'http://127.0.0.1:60000/cb',
    'http://127.0.0.1/cb',
    'http://localhost:9/cb?x=1',
    'http://[::1]:5/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
  ])('to %s', (uri) => expect(redirectUriAllowed(registered, uri)).toBe(true));

  it.each([
    'https://example.com/cb/',
    'https://example.com/cb?',
    'https://example.com/CB',
    'https://example.com:443/cb',
    'https://example.com:444/cb',
    'https://EXAMPLE.com/cb',
    'https://example.com/cb/../cb',
    'https://example.com/%63b',
    'https://example.com.evil.example/cb',
    'https://example.com@evil.example/cb',
    'http://example.com/cb',
    'http://127.0.0.1:60000/other',
    'http://127.0.0.1:60000/cb?extra',
    'http://127.0.0.1:60000@evil.example/cb',
    'http://127.0.0.1:600000/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.2:1234/cb',
    'http://localhost:1234/cb',
    'http://127.0.0.1.evil.example:1/cb',
    'https://127.0.0.1:1234/cb',
    'cursor://anysphere.cursor-mcp:1/oauth/callback',
    undefined,
    ['https://example.com/cb'],
  ])('not to %s', (uri) => expect(redirectUriAllowed(registered, uri)).toBe(false));

  it('never goes to another host, whatever stands before and behind the loopback name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, behind) => {
        const asked = `${before}http://127.0.0.1${behind}`;
        if (!redirectUriAllowed(['http://127.0.0.1/cb'], asked)) return;
        const url = new URL(asked);
        expect([url.protocol, url.hostname, url.pathname, url.username]).toEqual(['http:', '127.0.0.1', '/cb', '']);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999 }), (port) => {
        expect(redirectUriAllowed(['http://127.0.0.1/cb'], `http://127.0.0.1:${port}/cb`)).toBe(true);
      }),
    );
  });

  it('registers nothing that it would take for something else', () => {
    fc.assert(
      fc.property(fc.webUrl(), (uri) => {
        if (redirectUriProblem(uri) === undefined) expect(redirectUriAllowed([uri], uri)).toBe(true);
      }),
    );
  });
});

describe('what a person is shown of it', () => {
  it.each([
    ['https://claude.ai/api/mcp/auth_callback', 'claude.ai', false],
    ['https://example.com:8443/cb', 'example.com:8443', false],
    ['http://localhost:7777/cb', 'localhost:7777', true],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp', true],
    ['com.example.app:/oauth', 'com.example.app:', true],
    ['nonsense', 'unknown', true],
  ])('%s', (uri, host, local) => expect(redirectTarget(uri)).toEqual({ host, local }));
});
