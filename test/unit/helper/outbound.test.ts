import { describe, expect, it } from 'vitest';
import { makeOutbound } from '../../../src/helper/outbound.ts';
import type { EditorProxy } from '../../../src/protocol/control.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const env = { HTTPS_PROXY: 'http://env.corp:1', NO_PROXY: 'plain.example' };

function hostFor(name: string, editor?: EditorProxy): string | undefined {
  const outbound = makeOutbound({ env, clock: new FakeClock(), editor: () => editor });
  return outbound.proxyFor([name], 443)?.host;
}

describe('makeOutbound', () => {
  it('takes the environment’s proxy, and each of the editor’s own settings in place of it', () => {
    expect(hostFor('edge.example')).toBe('env.corp');
    expect(hostFor('plain.example')).toBeUndefined();
    expect(hostFor('edge.example', { url: 'http://editor.corp:1' })).toBe('editor.corp');
    expect(hostFor('plain.example', { url: 'http://editor.corp:1' })).toBeUndefined();
    expect(hostFor('plain.example', { noProxy: ['*.example.org', '10.0.0.0/8'] })).toBe('env.corp');
    expect(hostFor('a.example.org', { noProxy: ['*.example.org', '10.0.0.0/8'] })).toBeUndefined();
    expect(hostFor('edge.example', { url: 'http://editor.corp:1', isOff: true })).toBeUndefined();
  });

  it('names the editor’s setting when that is what cannot be read', () => {
    expect(() => hostFor('edge.example', { url: 'socks5://x' })).toThrow(/^the editor’s setting http\.proxy names/);
  });
});
