import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { proxyFor, proxyFromEnvironment } from '../../../src/tunnel/proxySettings.ts';

const set = (url: string | undefined, exceptions = '') => ({ url, exceptions, from: 'HTTPS_PROXY' });
const way = (name: string, exceptions: string, port = 443): 'proxy' | 'straight' =>
  proxyFor([name], port, set('http://proxy.corp:3128', exceptions)) ? 'proxy' : 'straight';

describe('proxyFromEnvironment', () => {
  it('reads the variables of the field, lower case first', () => {
    expect(proxyFromEnvironment({})).toEqual({ url: undefined, exceptions: '', from: 'HTTPS_PROXY' });
    expect(proxyFromEnvironment({ HTTPS_PROXY: 'http://a', https_proxy: 'http://b', NO_PROXY: 'x' })).toEqual({
      url: 'http://b',
      exceptions: 'x',
      from: 'https_proxy',
    });
    expect(proxyFromEnvironment({ ALL_PROXY: 'http://c', no_proxy: 'y', NO_PROXY: 'x' })).toEqual({
      url: 'http://c',
      exceptions: 'y',
      from: 'ALL_PROXY',
    });
    expect(proxyFromEnvironment({ HTTP_PROXY: 'http://plain' }).url).toBeUndefined();
    expect(proxyFromEnvironment({ https_proxy: '', HTTPS_PROXY: 'http://a' }).url).toBe('http://a');
  });
});

describe('proxyFor', () => {
  it.each([
    ['http://proxy.corp:3128', { host: 'proxy.corp', port: 3128, isTls: false }],
    ['proxy.corp:3128', { host: 'proxy.corp', port: 3128, isTls: false }],
    ['http://proxy.corp', { host: 'proxy.corp', port: 80, isTls: false }],
    ['https://proxy.corp/', { host: 'proxy.corp', port: 443, isTls: true }],
    ['http://[fd00::1]:3128', { host: 'fd00::1', port: 3128, isTls: false }],
    ['http://us%40er:p%3Aw@proxy.corp:1', { host: 'proxy.corp', port: 1, isTls: false, credentials: 'us@er:p:w' }],
    ['http://user@proxy.corp:1', { host: 'proxy.corp', port: 1, isTls: false, credentials: 'user:' }],
  ])('takes %s', (url, expected) => {
    expect(proxyFor(['edge.example.com'], 443, set(url))).toEqual(expected);
  });

  it.each(['socks5://proxy.corp:1080', 'http://', 'http://user:%zz@proxy.corp', 'http://a:b@[::1', 'file:///etc'])(
    'says how it is written instead of %s, and never shows it',
    (url) => {
      const read = (): unknown => proxyFor(['edge.example.com'], 443, set(url));
      expect(read).toThrow(TunnelError);
      expect(read).toThrow(/^HTTPS_PROXY .*: write http:\/\/host:port/);
      expect(read).not.toThrow(/proxy\.corp|%zz|etc/);
    },
  );

  it('is none without a setting, and never for this machine', () => {
    expect(proxyFor(['edge.example.com'], 443, set(undefined))).toBeUndefined();
    expect(proxyFor(['edge.example.com'], 443, set(' '))).toBeUndefined();
    for (const name of ['localhost', 'a.localhost', '127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) {
      expect(way(name, '')).toBe('straight');
    }
  });

  it.each([
    ['edge.example.com', 'example.com'],
    ['edge.example.com', '.example.com'],
    ['edge.example.com', '*.example.com'],
    ['edge.example.com', 'EXAMPLE.com'],
    ['edge.example.com', 'other.org, edge.example.com'],
    ['edge.example.com', 'other.org edge.example.com'],
    ['edge.example.com', 'edge.example.com:443'],
    ['edge.example.com', '*'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['::ffff:10.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3'],
    ['fd00::5', 'fd00::/16'],
    ['fd00::5', 'fd00:0::5'],
    ['fd00::5', '[fd00::5]:443'],
  ])('%s is dialled straight with NO_PROXY=%s', (name, exceptions) => {
    expect(way(name, exceptions)).toBe('straight');
  });

  it.each([
    ['edge.example.com', 'ample.com'],
    ['edge.example.com', 'edge.example.com:8443'],
    ['edge.example.com', 'dge.example.com'],
    ['edge.example.com', '10.0.0.0/8'],
    ['edge.example.com', '.'],
    ['11.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3', '2.3'],
    ['10.1.2.3', '10.0.0.0/99'],
    ['fd00::5', '10.0.0.0/8'],
  ])('%s goes through the proxy with NO_PROXY=%s', (name, exceptions) => {
    expect(way(name, exceptions)).toBe('proxy');
  });

  it('goes straight when any of the names is excepted', () => {
    const settings = set('http://proxy.corp:3128', 'edge.example.com');
    expect(proxyFor(['203.0.113.9', 'connect.edge.example.com'], 443, settings)).toBeUndefined();
  });

  it('takes any text for a list of exceptions, and shows no setting in what it throws', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'*.,/:[]0129afx -%@'.split('')) }));
    fc.assert(
      fc.property(text, text, fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), (exceptions, password, name) => {
        proxyFor([name], 443, set('http://proxy.corp:3128', exceptions));
        try {
          proxyFor([name], 443, set(`http://user:SECRET${password}@proxy.corp:3128`, ''));
        } catch (error) {
          expect(error).toBeInstanceOf(TunnelError);
          expect((error as TunnelError).message).not.toContain('SECRET');
        }
      }),
      { numRuns: 500 },
    );
  });
});
