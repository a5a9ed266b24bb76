import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coversHost, coversHostPort, parseHostPattern } from '../../../src/policy/hostPattern.ts';

describe('coversHostPort', () => {
  it.each([
    ['edge.example.com', 'edge.example.com:443', true],
    ['edge.example.com', 'edge.example.com', true],
    ['edge.example.com', 'edge.example.com:8443', false],
    ['edge.example.com:8443', 'edge.example.com', false],
    ['edge.example.com:*', 'edge.example.com:8443', true],
    ['Edge.Example.com', 'edge.example.COM', true],
    ['*.example.com', 'edge.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'a.b.example.com', false],
    ['**.example.com', 'a.b.example.com', true],
    ['**.example.com', 'example.com', false],
    ['edge-*.example.com', 'edge-7.example.com', true],
    ['*.example.com', 'edge.example.com.evil.net', false],
    ['*.example.com', 'evil-example.com', false],
    ['*', 'anything.example.com', true],
    ['*', 'anything.example.com:8443', false],
    ['*:*', '[::1]:8443', true],
    ['[::1]:*', '[::1]:3000', true],
    ['[::1]:*', '[::2]:3000', false],
    ['127.0.0.1:*', '127.0.0.1:3000', true],
    ['127.0.0.1:*', '127.0.0.11:3000', false],
    ['edge.example.com', 'user@edge.example.com', false],
    ['edge.example.com', '*.example.com', false],
    ['edge.example.com', '', false],
  ])('%s over %s is %s', (pattern, target, covers) => {
    expect(coversHostPort(pattern, target, 443)).toBe(covers);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (pattern, target) => void coversHostPort(pattern, target, 443)));
  });
});

describe('parseHostPattern', () => {
  it.each(['', 'a b', 'a..b', 'a/b', 'http://a', 'a:0', 'a:65536', 'a:b', '[::1', '**.a.**', 'a:*:*'])(
    'refuses %j',
    (text) => {
      expect(parseHostPattern(text)).toBeUndefined();
    },
  );
});

describe('coversHost', () => {
  it('compares a public name without a port', () => {
    expect(coversHost('*.trycloudflare.com', 'blue-cat.trycloudflare.com')).toBe(true);
    expect(coversHost('*.trycloudflare.com', 'trycloudflare.com')).toBe(false);
  });
});
