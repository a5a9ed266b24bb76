import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostPort, labelProblem, makeLabel, parseHostPort } from '../../../src/core/hostname.ts';

describe('labelProblem', () => {
  it.each(['a', 'everything-x7k2', '0', 'a'.repeat(63)])('takes %s', (label) => {
    expect(labelProblem(label)).toBeUndefined();
  });

  it.each([
    '',
    'A',
    'a_b',
    '_a',
    'a.b',
    '-a',
    'a-',
    'a b',
    'ä',
    'a'.repeat(64),
    'xn--a',
    'connect',
    'enroll',
    'www',
    'a\n',
  ])('refuses %j and says why', (label) => {
    expect(labelProblem(label)).toMatch(/name/);
  });
});

describe('makeLabel', () => {
  it('makes a label that can be used, of any name and any chance', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (name, chance) => {
          expect(labelProblem(makeLabel(name, () => chance))).toBeUndefined();
        },
      ),
    );
  });

  it('keeps what can be kept of the name', () => {
    expect(makeLabel('@scope/My Server_2!', () => 0)).toBe('scope-my-server-2-aaaa');
    expect(makeLabel('日本', () => 0)).toBe('server-aaaa');
    expect(makeLabel('xn--abc', () => 0)).toBe('xn-abc-aaaa');
  });
});

describe('parseHostPort', () => {
  it.each([
    ['Edge.Example.com', 'edge.example.com', 443],
    ['localhost:8443', 'localhost', 8443],
    ['[::1]:9', '::1', 9],
    ['[::1]', '::1', 443],
  ])('reads %s', (text, host, port) => {
    expect(parseHostPort(text, 443)).toEqual({ host, port });
  });

  it.each([
    '',
    ':1',
    '::1',
    'a:0',
    'a:65536',
    'a:b',
    'a:1:2',
    'user@a',
    'a/b',
    'a b',
    'http://a',
    'a?b',
    'a#b',
    'a%2e',
    '[a',
  ])('refuses %j and names it', (text) => {
    expect(() => parseHostPort(text, 443)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parseHostPort(text, 443)).toThrow(`“${text}”`);
  });

  it('reads what formatHostPort wrote', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }), 1)).toEqual({ host: host.toLowerCase(), port });
      }),
    );
  });
});
