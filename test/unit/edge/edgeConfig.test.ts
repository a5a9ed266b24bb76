import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { parseNetwork } from '../../../src/core/network.ts';
import { edgeConfigSchema, parseEdgeConfig } from '../../../src/edge/edgeConfig.ts';
import { maxConfigBytes } from '../../../src/edge/edgeConfigText.ts';
import { edgeLimitNames, edgeLimitRange } from '../../../src/edge/edgeLimitRanges.ts';
import { defaultEdgeLimits } from '../../../src/edge/edgeLimits.ts';

const parse = (text: string | Buffer) => parseEdgeConfig(Buffer.from(text as string), '/etc/edge.yaml');

function fault(text: string | Buffer): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('edge.yaml', () => {
  it('says everything an edge can be told', () => {
    const text = `
domain: Edge.Example.com
listen: "[::]:8443"
data: data
cert: door.pem
key: door.key
health: 127.0.0.1:9464
proxyFrom: [192.0.2.0/24]
asnDb: asn.mmdb
log: { format: json, level: warn }
drain:
  lead: 5s
  within: 1m30s
reservedLabels: [admin, "api-*"]
limits:
  helloMs: 1000
  maxHeldBytes: 1073741824
`;
    expect(parse(text)).toEqual({
      domain: 'edge.example.com',
      listen: { host: '::', port: 8443 },
      data: 'data',
      cert: 'door.pem',
      key: 'door.key',
      health: { host: '127.0.0.1', port: 9464 },
      proxyFrom: [parseNetwork('192.0.2.0/24')],
      asnDb: 'asn.mmdb',
      log: { format: 'json', level: 'warn' },
      drain: { lead: 5000, within: 90_000 },
      reservedLabels: ['admin', 'api-*'],
      limits: { helloMs: 1000, maxHeldBytes: 1 << 30 },
    });
  });

  it('may be empty, or say nothing but comments', () => {
    expect(parse('')).toEqual({});
    expect(parse('# nothing yet\n')).toEqual({});
  });

  it.each([
    [
      'limits:\n  helloMs: soon\n',
      '/etc/edge.yaml:2:3: limits.helloMs: it is a whole number from 100 to 60000 (usually 5000)',
    ],
    [
      'limits:\n  helloMs: 99\n',
      '/etc/edge.yaml:2:3: limits.helloMs: it is a whole number from 100 to 60000 (usually 5000)',
    ],
    [
      'limits:\n  helloMS: 200\n',
      '/etc/edge.yaml:2:3: limits.helloMS: there is no such setting; did you mean helloMs?',
    ],
    ['log: { levle: info }', '/etc/edge.yaml:1:8: log.levle: there is no such setting; did you mean level?'],
    ['log: { level: loud }', '/etc/edge.yaml:1:8: log.level: it is one of debug, info, warn, error'],
    ['domian: edge.example.com', '/etc/edge.yaml:1:1: domian: there is no such setting; did you mean domain?'],
    ['tls: yes', '/etc/edge.yaml:1:1: tls: there is no such setting'],
    ['__proto__: { a: 1 }', '/etc/edge.yaml:1:1: __proto__: there is no such setting'],
    [
      'domain: localhost',
      '/etc/edge.yaml:1:1: domain: “localhost” is not a domain; write for example edge.example.com',
    ],
    ['listen: "443:"', '/etc/edge.yaml:1:1: listen: “443:” is not a host or host:port'],
    [
      'proxyFrom: [nowhere]',
      '/etc/edge.yaml:1:13: proxyFrom.0: “nowhere” is not a network: write it like 192.0.2.0/24',
    ],
    ['drain: { within: 2h }', '/etc/edge.yaml:1:10: drain.within: “2h” is longer than an hour'],
    [
      'reservedLabels:\n  - ok\n  - Not OK\n',
      '/etc/edge.yaml:3:5: reservedLabels.1: “Not OK” is not a label or a glob over one: a name has only a-z, 0-9 and hyphens, and no hyphen at an end',
    ],
    ['- a\n- b\n', /^\/etc\/edge\.yaml:1:1: .*expected object/],
    ['domain: a.example\ndomain: b.example\n', /^\/etc\/edge\.yaml:2:1: it is not YAML: Map keys must be unique/],
    ['a: &x 1\nb: *x\n', /^\/etc\/edge\.yaml:2:4: anchors and aliases are not read/],
    ['a: &a [*a]\n', /^\/etc\/edge\.yaml:1:8: anchors and aliases are not read/],
    ['a: [', /^\/etc\/edge\.yaml:1:\d+: it is not YAML/],
    ['---\na: 1\n---\nb: 2\n', /^\/etc\/edge\.yaml:\d:\d: it is not YAML/],
    [`a: ${'['.repeat(40)}${']'.repeat(40)}`, /it is nested too deeply/],
  ])('refuses %j and says where and why', (text, message) => {
    if (typeof message === 'string') expect(fault(text)).toBe(message);
    else expect(fault(text)).toMatch(message);
  });

  it('refuses what is no text, and what is larger than any configuration', () => {
    expect(fault(Buffer.from([0xff, 0xfe, 0x00]))).toBe('/etc/edge.yaml: it is not text in UTF-8');
    expect(fault('domain: "a\0"')).toBe('/etc/edge.yaml: it is not text in UTF-8');
    expect(fault('['.repeat(100_000))).toMatch(/it is not YAML|nested too deeply/);
    expect(fault(Buffer.alloc(maxConfigBytes + 1, 0x20))).toBe('/etc/edge.yaml: it is larger than 256 KiB');
  });

  it('takes or refuses any text, and never fails otherwise', () => {
    const word = fc.constantFrom(
      'limits',
      'log',
      'level',
      ':',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '&a',
      '*a',
      '!!js',
      '"',
      '|',
      '5',
      'helloMs',
      '#',
      '? ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(word).map((words) => words.join('')),
        ),
        (text) => {
          try {
            parse(text);
          } catch (error) {
            expect(error).toMatchObject({
              code: 'CONFIG_INVALID',
              message: expect.stringMatching(/^\/etc\/edge\.yaml/) as unknown,
            });
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('has a range around the usual value of every limit', () => {
    for (const name of edgeLimitNames) {
      const [least, most] = edgeLimitRange(name);
      const usual = defaultEdgeLimits[name];
      expect([name, usual >= least && usual <= most]).toEqual([name, true]);
    }
  });

  it('is described by a JSON Schema that takes what it takes and refuses unknown names', () => {
    const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(edgeConfigSchema());
    expect(validate({ domain: 'edge.example.com', limits: { helloMs: 1000 }, log: { level: 'info' } })).toBe(true);
    expect(validate({ limits: { helloMs: 1 } })).toBe(false);
    expect(validate({ limits: { hello: 1000 } })).toBe(false);
    expect(validate({ tls: true })).toBe(false);
  });
});
