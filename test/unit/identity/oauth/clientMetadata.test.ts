import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptableMetadata, clientName, maxClientNameLength } from '../../../../src/identity/oauth/clientMetadata.ts';

describe('what a client says of itself', () => {
  it('is kept where it is understood, and replaced where more is asked for than there is', () => {
    expect(
      acceptableMetadata({
        client_name: 'Visual Studio Code',
        redirect_uris: ['http://127.0.0.1/', 'https://vscode.dev/redirect'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        scope: 'openid profile mcp everything',
        logo_uri: 'http://169.254.169.254/latest',
        jwks_uri: 'http://127.0.0.1/keys',
        contacts: ['x'],
        client_secret: 'chosen',
        __proto__: { polluted: true },
      }),
    ).toEqual({
      client_name: 'Visual Studio Code',
      redirect_uris: ['http://127.0.0.1/', 'https://vscode.dev/redirect'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      response_modes: ['query'],
      application_type: 'native',
      token_endpoint_auth_method: 'none',
    });
  });

  it('keeps a bounded number of addresses, and leaves nonsense to be refused', () => {
    const many = Array.from({ length: 50 }, (_, at) => `https://example.com/${at}`);
    expect(acceptableMetadata({ redirect_uris: many })).toMatchObject({
      redirect_uris: many.slice(0, 10),
      application_type: 'web',
    });
    expect(acceptableMetadata({ redirect_uris: 'https://example.com', response_types: ['token'] })).toMatchObject({
      redirect_uris: 'https://example.com',
      response_types: ['token'],
    });
  });
});

describe('a client’s name', () => {
  it.each([
    ['Claude', 'Claude'],
    ['  Claude \n Code\t ', 'Claude Code'],
    ['Claude\u202eedoC', 'Claude edoC'],
    ['a\u200bb\ufeffc', 'a b c'],
    ['\u0007\u0000', undefined],
    ['', undefined],
    [42, undefined],
    [undefined, undefined],
  ])('%j is shown as %j', (told, shown) => expect(clientName(told)).toBe(shown));

  it('is one short line without anything that hides, turns or ends text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (told) => {
        const name = clientName(told);
        if (name === undefined) return;
        expect(name.length).toBeLessThanOrEqual(maxClientNameLength);
        // oxlint-disable-next-line no-control-regex
        expect(name).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
      }),
    );
  });
});
