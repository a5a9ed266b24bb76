import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { maxDepth, maxPolicyBytes, parsePolicy } from '../../../src/policy/policyFile.ts';
import { policySchema } from '../../../src/policy/policySchema.ts';

function refusal(text: string): { path: unknown; line: unknown; message: string } {
  try {
    parsePolicy(text, '/p.json');
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    expect(error.code).toBe('POLICY_INVALID');
    expect(error.data).toMatchObject({ file: '/p.json' });
    return { path: error.data?.['path'], line: error.data?.['line'], message: error.message };
  }
  throw new Error('it was accepted');
}

const full = `{ "version": 1, // the only one
  "destinations": [ { "carrier": "embedded" }, { "carrier": "edge", "host": "edge.example.com:443", "pin": "sha256/${'A'.repeat(43)}=" },
                    { "carrier": "cloudflared", "publicName": "*.trycloudflare.com" }, { "service": "acme", "host": "acme-v02.api.letsencrypt.org" } ],
  "upstreams":    [ { "http": "127.0.0.1:*" }, { "http": "[::1]:*" }, { "stdio": "*" } ],
  "agents":       { "*": { "methods": ["*"], "tools": ["*"], "prompts": ["*"], "resources": ["*"], "deny": [], "readOnly": false, "ask": [], "arguments": {} } },
  "limits":       { "requestsPerMinute": 600, "maxBodyBytes": 4194304, "maxConcurrent": 64, },
}`;

describe('parsePolicy', () => {
  it('reads a file that uses everything, with comments, trailing commas and a byte order mark', () => {
    const policy = parsePolicy(`\uFEFF${full}`, '/p.json');
    expect(policy.destinations).toHaveLength(4);
    expect(policy.agents?.['*']?.tools).toEqual(['*']);
    expect(policy.limits?.maxBodyBytes).toBe(4_194_304);
  });

  it('says what is wrong in words', () => {
    expect(refusal('{"version":2}').message).toBe('/p.json, line 1: version is not right: expected 1');
    expect(refusal('{"version":1,').message).toContain('the policy is not JSON (property name expected)');
    const carrier = refusal('{"version":1,"destinations":[{"carrier":"emedded"}]}').message;
    expect(carrier).toContain('destinations[0].carrier is not right: expected one of "embedded"|"edge"');
  });

  const wrong: [what: string, text: string, path: string, line: number][] = [
    ['text that is no JSON', '{ "version": 1,\n oops }', '', 2],
    ['an empty file', '', '', 1],
    ['a list', '[]', '', 1],
    ['no version', '{}', 'version', 1],
    ['a later version', '{\n"version": 2 }', 'version', 2],
    ['an unknown key', '{"version":1,\n"destination":[]}', 'destination', 2],
    ['a key that stands twice', '{"version":1,\n"limits":{},\n"limits":{}}', 'limits', 3],
    [
      'a key that stands twice deep inside',
      '{"version":1,"agents":{"*":{\n"deny":["a"],\n"deny":[]}}}',
      'agents["*"].deny',
      3,
    ],
    ['a prototype for a key', '{"version":1,"agents":{\n"__proto__":{"tools":["*"]}}}', 'agents.__proto__', 2],
    [
      'a host that is none',
      '{"version":1,"destinations":[{"carrier":"embedded"},{"carrier":"embedded"},\n{"carrier":"edge",\n"host":"http://x"}]}',
      'destinations[2].host',
      3,
    ],
    ['an edge without a host', '{"version":1,"destinations":[{"carrier":"edge"}]}', 'destinations[0].host', 1],
    ['a carrier with a typo', '{"version":1,"destinations":[{"carrier":"emedded"}]}', 'destinations[0].carrier', 1],
    ['neither carrier nor service', '{"version":1,"destinations":[{"host":"a"}]}', 'destinations[0]', 1],
    [
      'a pin on the embedded edge',
      `{"version":1,"destinations":[{"carrier":"embedded","pin":"sha256/${'A'.repeat(43)}="}]}`,
      'destinations[0].pin',
      1,
    ],
    [
      'a pin that is none',
      '{"version":1,"destinations":[{"carrier":"edge","host":"a","pin":"sha256/x"}]}',
      'destinations[0].pin',
      1,
    ],
    [
      'a public name of our own edge',
      '{"version":1,"destinations":[{"carrier":"edge","host":"a","publicName":"b"}]}',
      'destinations[0].publicName',
      1,
    ],
    ['a server URL without a port', '{"version":1,"upstreams":[{"http":"127.0.0.1"}]}', 'upstreams[0].http', 1],
    ['a server of two kinds', '{"version":1,"upstreams":[{"http":"a:1","stdio":"*"}]}', 'upstreams[0]', 1],
    ['a limit of nothing', '{"version":1,"limits":{"maxConcurrent":0}}', 'limits.maxConcurrent', 1],
    ['a limit that is no number', '{"version":1,"limits":{"maxConcurrent":"64"}}', 'limits.maxConcurrent', 1],
    ['a tool pattern that is empty', '{"version":1,"agents":{"*":{"tools":[""]}}}', 'agents["*"].tools[0]', 1],
    ['an agent named by a pattern', '{"version":1,"agents":{"a*":{}}}', 'agents["a*"]', 1],
    [
      'an argument rule with a slip of the pen',
      '{"version":1,"agents":{"*":{"arguments":{"x":{"properties":{"a":{"minimun":1}}}}}}}',
      'agents["*"].arguments.x.properties.a.minimun',
      1,
    ],
  ];
  it.each(wrong)('refuses %s and says where it is', (_, text, path, line) => {
    const refused = refusal(text);
    expect(refused).toMatchObject({ path, line });
    expect(refused.message).toContain(`/p.json, line ${line}: ${path}`);
  });

  it('refuses what is too deep or too large without reading it', () => {
    expect(refusal('['.repeat(200_000)).message).toContain(`deeper than ${maxDepth}`);
    expect(refusal(' '.repeat(maxPolicyBytes + 1)).message).toContain('larger than');
    expect(refusal('/*'.repeat(400_000)).message).toContain('is not JSON');
  });

  it('throws nothing but POLICY_INVALID, whatever the text', () => {
    const damaged = fc
      .tuple(fc.nat(full.length), fc.nat(20), fc.string())
      .map(([at, cut, text]) => full.slice(0, at) + text + full.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), damaged), (text) => {
        try {
          parsePolicy(text, '/p.json');
        } catch (error) {
          expect(error).toMatchObject({ name: 'TunnelError', code: 'POLICY_INVALID' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('policySchema', () => {
  it('describes every section, and closes them to other keys', () => {
    const schema = policySchema();
    expect(Object.keys(schema['properties'] as object)).toEqual([
      '$schema',
      'version',
      'destinations',
      'upstreams',
      'agents',
      'audit',
      'limits',
    ]);
    expect(schema['additionalProperties']).toBe(false);
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });
});
