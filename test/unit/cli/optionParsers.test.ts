import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDomain as domain, parseListenAddress as listenAddress } from '../../../src/core/hostname.ts';
import { edgeHost, maxRepeats, pin, port, repeated } from '../../../src/cli/optionParsers.ts';
import { TunnelError } from '../../../src/core/errors.ts';

describe('option parsers', () => {
  it('read what they promise', () => {
    expect(port('8443')).toBe(8443);
    expect(edgeHost('Edge.Example.com')).toBe('edge.example.com:443');
    expect(edgeHost('[::1]:8443')).toBe('[::1]:8443');
    expect(listenAddress('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
    expect(listenAddress('[::]:443')).toEqual({ host: '::', port: 443 });
    expect(listenAddress('0.0.0.0')).toEqual({ host: '0.0.0.0', port: 443 });
    expect(domain('Edge.Example.COM.')).toBe('edge.example.com');
    expect(pin(`sha256/${'A'.repeat(43)}=`)).toMatch(/^sha256/);
    expect(repeated('b', ['a'])).toEqual(['a', 'b']);
  });

  it.each([
    [port, '0'],
    [port, '65536'],
    [port, '-1'],
    [port, '80x'],
    [edgeHost, 'http://x'],
    [edgeHost, 'x:99999'],
    [listenAddress, ':0'],
    [listenAddress, 'x y'],
    [domain, 'localhost'],
    [domain, '-a.example.com'],
    [domain, '127.0.0.1'],
    [domain, 'a..b'],
    [domain, '../etc/passwd'],
    [pin, 'sha256/short'],
    [pin, 'md5/x'],
  ])('%o refuses “%s”', (parse, text) => {
    expect(() => parse(text)).toThrow(TunnelError);
  });

  it('bound how often an option is repeated', () => {
    expect(() =>
      repeated(
        'x',
        Array.from({ length: maxRepeats }, () => 'x'),
      ),
    ).toThrow(/at most 100/);
  });

  it('answer any text with a value or a USAGE error', () => {
    fc.assert(
      fc.property(fc.constantFrom(port, edgeHost, listenAddress, domain, pin), fc.string(), (parse, text) => {
        try {
          parse(text);
        } catch (error) {
          expect((error as TunnelError).code).toBe('USAGE');
        }
      }),
    );
  });
});
