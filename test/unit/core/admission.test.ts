import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxNetworks, networksInFile, parseAdmission, parseAllowFrom } from '../../../src/core/admission.ts';
import { parseNetwork } from '../../../src/core/network.ts';
import { vendorNetworks } from '../../../src/core/vendorNetworks.ts';

describe('whom a person lets in', () => {
  it('is networks, autonomous systems and vendors, each once', () => {
    expect(parseAllowFrom(['192.0.2.0/24', 'AS64500', 'as64500', '192.0.2.0/24', '2001:db8::1'])).toEqual({
      networks: ['192.0.2.0/24', '2001:db8::1/128'],
      asns: [64500],
    });
    expect(parseAllowFrom(['anthropic'])).toEqual({ networks: ['160.79.104.0/21'] });
  });

  it.each([
    [['10.0.0.0/33'], /“10.0.0.0\/33”/],
    [['10.0.0.1/8'], /write 10.0.0.0\/8/],
    [['AS0'], /from 1 to/],
    [['AS4294967296'], /from 1 to/],
    [['nobody'], /“nobody” says nobody to let in.*anthropic/],
    [['openai'], /fetch https:\/\/openai\.com\/chatgpt-connectors\.json/],
    [[], /nobody is named/],
  ])('is refused with the entry that is wrong: %j', (entries, why) => {
    expect(() => parseAllowFrom(entries)).toThrow(why);
  });

  it('has a number at which it ends', () => {
    const many = Array.from({ length: maxNetworks + 1 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
    expect(() => parseAllowFrom(many)).toThrow(expect.objectContaining({ code: 'LIMIT' }));
    expect(parseAllowFrom(many.slice(1)).networks).toHaveLength(maxNetworks);
  });
});

describe('whom a claim lets in', () => {
  it.each([
    ['admission', 'anybody'],
    ['admission', []],
    ['admission', {}],
    ['“countries”', { countries: ['NL'] }],
    ['admission.networks', { networks: '10.0.0.0/8' }],
    ['admission.networks[1]', { networks: ['10.0.0.0/8', '10.0.0.0/99'] }],
    ['admission.networks[0]', { networks: [7] }],
    ['admission.asns', { asns: 64500 }],
    ['admission.asns[1]', { asns: [1, '2'] }],
    ['admission.asns[0]', { asns: [1.5] }],
    ['admission.challenges', { networks: ['10.0.0.0/8'], challenges: false }],
    ['nobody is named', { challenges: true }],
  ])('is refused at %s', (place, wanted) => {
    expect(() => parseAdmission(wanted)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    if (place !== 'admission') expect(() => parseAdmission(wanted)).toThrow(place);
  });

  it('is what the other end wrote', () => {
    const admission = parseAllowFrom(['anthropic', 'AS64500', '::ffff:192.0.2.0/120']);
    expect(parseAdmission(JSON.parse(JSON.stringify(admission)))).toEqual(admission);
    expect(parseAdmission({ ...admission, challenges: true })).toEqual({ ...admission, challenges: true });
  });

  it('is read or refused whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        for (const wanted of [value, { networks: value }, { asns: value }]) {
          try {
            const { networks = [], asns = [] } = parseAdmission(wanted);
            expect(networks.length + asns.length).toBeGreaterThan(0);
          } catch (error) {
            expect(['USAGE', 'LIMIT']).toContain((error as { code?: string }).code);
          }
        }
      }),
    );
  });
});

describe('a file of networks', () => {
  it('may be one as vendors publish it', () => {
    const text = JSON.stringify({
      creationTime: '2026-11-01T00:00:00.000000',
      prefixes: [{ ipv4Prefix: '192.0.2.16/28' }, { ipv6Prefix: '2001:db8::/32' }],
    });
    expect(networksInFile(text)).toEqual(['192.0.2.16/28', '2001:db8::/32']);
  });

  it('may have one a line, and notes', () => {
    expect(networksInFile('# ours\r\n192.0.2.0/24\r\n\n198.51.100.7 # the build\n')).toEqual([
      '192.0.2.0/24',
      '198.51.100.7/32',
    ]);
  });

  it.each(['', '# nobody', '{', '{}', '{"prefixes":{}}', '{"prefixes":[{}]}', '{"prefixes":[]}', 'anthropic'])(
    'is refused: %j',
    (text) => {
      expect(() => networksInFile(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );
});

describe('the vendors’ addresses', () => {
  it.each(vendorNetworks)('of $name have a source, a date and only valid networks', (vendor) => {
    expect(vendor.source).toMatch(/^https:\/\//);
    expect(new Date(vendor.readOn).toISOString().slice(0, 10)).toBe(vendor.readOn);
    expect(vendor.name).toMatch(/^[a-z][a-z-]*$/);
    if ('networks' in vendor) for (const network of vendor.networks) parseNetwork(network);
    else expect(vendor.list).toMatch(/^https:\/\/.*\.json$/);
  });
});
