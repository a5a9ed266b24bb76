import * as fc from 'fast-check';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../../src/core/json.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { decide, type Decision } from '../../../src/policy/decide.ts';
import { maxTestedLength } from '../../../src/policy/linearPattern.ts';
import { mergePolicies, type PolicyOrigin, type PolicySource } from '../../../src/policy/mergedPolicy.ts';
import { maxValues } from '../../../src/policy/argumentRules.ts';
import { parsePolicy } from '../../../src/policy/policyFile.ts';
import { mayList } from '../../../src/policy/visible.ts';

const open = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const string = { type: 'string' };

/** A policy file as it is read: what is tested is what a person can write. */
function file(agents: object, origin: PolicyOrigin = 'user'): PolicySource {
  const policy = parsePolicy(JSON.stringify({ version: 1, agents }), `/${origin}`);
  return { origin, file: `/${origin}`, kind: 'read', policy };
}

function call(sources: PolicySource[], args: JsonValue | undefined, tool = 'write', method = 'tools/call'): Decision {
  const params = { name: tool, ...(args === undefined ? {} : { arguments: args }) };
  return decide(mergePolicies(sources), {
    agent: 'claude',
    scope: {},
    messages: [{ kind: 'request', id: 1, method, params }],
    annotations: () => undefined,
  });
}

const demanding = (schema: object, key = 'write'): PolicySource[] => [
  file({ '*': { ...open, arguments: { [key]: schema } } }),
];
const path = {
  properties: { path: { type: 'string', pattern: '^/srv/[\\w.-]+$' } },
  required: ['path'],
  additionalProperties: false,
};

describe('arguments', () => {
  it('that are what is demanded pass', () => {
    expect(call(demanding(path), { path: '/srv/notes.md' }).kind).toBe('allow');
    expect(call(demanding(path), { path: 'anything' }, 'other').kind).toBe('allow');
  });

  it.each<[object, JsonValue | undefined, string]>([
    [path, { path: '/etc/passwd' }, 'the argument "/path" must match pattern "^/srv/[\\w.-]+$" (tool "write")'],
    [path, {}, 'the argument "/path" must be given (tool "write")'],
    [path, undefined, 'the argument "/path" must be given (tool "write")'],
    [path, { path: '/srv/a', 'a/b~c': 1 }, 'the argument "/a~1b~0c" must not be given (tool "write")'],
    [path, 'path', 'the arguments together must be object (tool "write")'],
    [path, null, 'the arguments together must be object (tool "write")'],
    [path, [], 'the arguments together must be object (tool "write")'],
    [{ properties: { n: { type: 'integer', maximum: 5 } } }, { n: 6 }, 'the argument "/n" must be <= 5 (tool "write")'],
    [
      { properties: { mode: { enum: ['r', 'rb'] } } },
      { mode: 'w' },
      'the argument "/mode" must be one of ["r","rb"] (tool "write")',
    ],
    [{ properties: { dry: { const: true } } }, { dry: false }, 'the argument "/dry" must be true (tool "write")'],
    [
      { properties: { list: { type: 'array', items: string } } },
      { list: ['a', 1] },
      'the argument "/list/1" must be string (tool "write")',
    ],
    [{ not: { required: ['force'] } }, { force: 0 }, 'the arguments together must NOT be valid (tool "write")'],
    [
      { anyOf: [{ required: ['a'] }, { required: ['b'] }] },
      {},
      'the arguments together must match a schema in anyOf (tool "write")',
    ],
    [
      // oxlint-disable-next-line unicorn/no-thenable -- the keyword's name
      { if: { required: ['a'] }, then: { required: ['b'] } },
      { a: 1 },
      'the argument "/b" must be given (tool "write")',
    ],
  ])('%j refuses %j and says why', (schema, args, reason) => {
    expect(call(demanding(schema), args)).toMatchObject({
      kind: 'deny',
      rule: 'user agents["*"].arguments["write"]',
      reason,
    });
  });

  it('are never repeated beyond the length of a sentence', () => {
    const long = 'x'.repeat(1_000_000);
    for (const args of [{ [long]: 1 }, { path: long }, { path: `/srv/${long}` }]) {
      const decision = call(demanding(path), args);
      expect(decision.kind).toBe('deny');
      expect((decision as { reason: string }).reason.length).toBeLessThan(200);
    }
  });

  it('must be what every file demands, and what is demanded of all holds for who has rules of its own', () => {
    const user = file({
      '*': { ...open, arguments: { '*': { required: ['a'] } } },
      claude: { ...open, arguments: { 'wr*': { required: ['b'] } } },
    });
    const workspace = file({ '*': { ...open, arguments: { write: { required: ['c'] } } } }, 'workspace');
    const given = (...names: string[]): string =>
      call([workspace, user], Object.fromEntries(names.map((name) => [name, 1]))).kind;
    expect([given('a', 'b', 'c'), given('b', 'c'), given('a', 'c'), given('a', 'b')]).toEqual([
      'allow',
      'deny',
      'deny',
      'deny',
    ]);
  });

  it('of several patterns that match, all are demanded', () => {
    const sources = [file({ '*': { ...open, arguments: { 'wr*': { required: ['a'] }, '*te': { required: ['b'] } } } })];
    expect(call(sources, { a: 1, b: 1 }).kind).toBe('allow');
    expect(call(sources, { a: 1 }).kind).toBe('deny');
    expect(call(sources, { b: 1 }).kind).toBe('deny');
  });

  it.each(['Tools/Call', 'tools/call ', 'tools/callMany', 'ｔools/call'])('%j is no way around them', (method) => {
    expect(call([file({ '*': open })], {}, 'write', method).kind).toBe('allow');
    expect(call(demanding(path), { path: '/srv/a' }, 'write', method).kind).toBe('deny');
  });

  it('of a tool do not hide it from lists', () => {
    const policy = mergePolicies(demanding(path));
    expect(mayList(policy, 'claude', {}, 'tool', { name: 'write' })).toBe(true);
  });

  describe('that cannot be judged are refused', () => {
    it('when there are too many of them', () => {
      const many = (length: number): JsonObject => ({ list: Array.from({ length }, () => 1) });
      expect(call(demanding({}), many(maxValues - 2)).kind).toBe('allow');
      expect(call(demanding({}), many(maxValues))).toMatchObject({
        reason: expect.stringContaining(`${maxValues}`) as string,
      });
      expect(call(demanding({}), many(1_000_000)).kind).toBe('deny');
    });

    it('when a text is too long for its pattern', () => {
      const schema = { properties: { path: { type: 'string', pattern: '^a*$' } } };
      expect(call(demanding(schema), { path: 'a'.repeat(maxTestedLength) }).kind).toBe('allow');
      expect(call(demanding(schema), { path: 'a'.repeat(maxTestedLength + 1) })).toMatchObject({
        reason: expect.stringContaining('is longer than') as string,
      });
    });

    it('when patterns would take too long, and the next call is judged anew', () => {
      const slow = { type: 'string', pattern: `^(?:${'(?:a?){20}'.repeat(6)})*b$` };
      const schema = { properties: { list: { type: 'array', items: { anyOf: [slow, string] } } } };
      const list = Array.from({ length: 100 }, () => 'a'.repeat(maxTestedLength));
      expect(call(demanding(schema), { list })).toMatchObject({
        reason: expect.stringContaining('too long') as string,
      });
      const sources = demanding(schema);
      call(sources, { list });
      expect(call(sources, { list: ['b'] }).kind).toBe('allow');
    });
  });

  it('of a whole batch, under all rules of all files, are judged within one budget', () => {
    // Each of these comparisons is allowed by itself, and takes half of what there is.
    const slow = { properties: { a: { type: 'string', pattern: '(?:.?){120}$' } } };
    const args = { a: 'a'.repeat(maxTestedLength) };
    expect(call(demanding(slow), args).kind).toBe('allow');
    const tooLong = { kind: 'deny', reason: expect.stringContaining('too long') as string };
    const rule = { ...open, arguments: { write: slow, 'w*': slow, '*e': slow } };
    expect(call([file({ '*': rule })], args)).toMatchObject(tooLong);
    const rules = { '*': { ...open, arguments: { '*': slow } }, claude: { ...open, arguments: { '*': slow } } };
    expect(call([file(rules), file(rules, 'workspace')], args)).toMatchObject(tooLong);
    const message = (id: number): RpcMessage => ({
      kind: 'request',
      id,
      method: 'tools/call',
      params: { name: 'write', arguments: args },
    });
    const policy = mergePolicies(demanding(slow));
    const asking = { agent: 'claude', scope: {}, annotations: () => undefined };
    expect(decide(policy, { ...asking, messages: [message(1)] }).kind).toBe('allow');
    expect(decide(policy, { ...asking, messages: [1, 2, 3].map(message) })).toMatchObject(tooLong);
  });

  it('that many schemas look at, one by one, cannot be judged', () => {
    const allOf = Array.from({ length: 50 }, () => ({ minProperties: 0, type: 'object' }));
    const nested = { allOf: Array.from({ length: 10 }, () => ({ type: 'object', allOf })) };
    const args = { list: Array.from({ length: 9_000 }, () => 1) };
    expect(call(demanding({ allOf }), args).kind).toBe('allow');
    expect(call(demanding(nested), args)).toMatchObject({ reason: expect.stringContaining('too long') as string });
  });

  it('are compiled once, and two patterns are never taken for each other', () => {
    const schema = { properties: { a: { type: 'string', pattern: '^x$' }, b: { type: 'string', pattern: '^y$' } } };
    const sources = demanding(schema);
    expect(call(sources, { a: 'x', b: 'y' }).kind).toBe('allow');
    expect(call(sources, { a: 'y', b: 'x' }).kind).toBe('deny');
  });

  it('are judged as another reader of JSON Schema judges them', () => {
    const leaf = fc.constantFrom<object>(
      string,
      { type: 'integer', minimum: 1 },
      { enum: ['a', 1, null] },
      { type: 'string', pattern: '^a+$' },
      { type: 'array', items: { type: 'number' }, maxItems: 2 },
      {},
    );
    const schema = fc.letrec<{ s: object }>((tie) => ({
      s: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.record({
          type: fc.constant('object'),
          properties: fc.dictionary(fc.constantFrom('a', 'b'), tie('s')),
          required: fc.subarray(['a', 'b']),
        }),
        fc.record({ anyOf: fc.array(tie('s'), { minLength: 1, maxLength: 2 }) }),
        fc.record({ not: tie('s') }),
      ),
    })).s;
    const value = fc.oneof(
      fc.constantFrom<JsonValue>('a', 'aa', 'b', 1, 0, null, [], [1, 2, 3], { a: 'a' }),
      fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>,
    );
    fc.assert(
      fc.property(schema, fc.dictionary(fc.constantFrom('a', 'b', 'c'), value), (inner, args) => {
        const whole = { properties: { a: inner, b: inner } };
        const theirs = new Ajv2020({ strict: false, meta: false, validateSchema: false }).compile({
          type: 'object',
          ...whole,
        });
        expect(call(demanding(whole), args).kind).toBe(theirs(args) ? 'allow' : 'deny');
      }),
      { numRuns: 100 },
    );
  });
});

describe('a schema that cannot be enforced', () => {
  const place = 'agents["*"].arguments.write';
  it.each<[string, unknown, string, string]>([
    [
      'a typo',
      { properties: { path: { type: 'string', patern: 'x' } } },
      `${place}.properties.path.patern`,
      'is not a key that a policy has',
    ],
    [
      'a typo further in',
      { additionalProperties: { items: { typ: 'string' } } },
      `${place}.additionalProperties.items.typ`,
      'is not a key that a policy has',
    ],
    [
      'a wrong value',
      { properties: { n: { type: 'string', minLength: '1' } } },
      `${place}.properties.n.minLength`,
      'expected number',
    ],
    ['a wrong type', { properties: { n: { type: 'strin' } } }, `${place}.properties.n.type`, 'is none of string'],
    ['a keyword without its type', { properties: { path: { pattern: 'x' } } }, place, 'missing type "string"'],
    [
      'a reference',
      { properties: { path: { $ref: 'https://example.com/schema.json' } } },
      `${place}.properties.path.$ref`,
      'is not a key',
    ],
    ['a reference within', { $ref: '#' }, `${place}.$ref`, 'is not a key'],
    [
      'data for a pattern',
      { properties: { path: { type: 'string', pattern: { $data: '1/x' } } } },
      `${place}.properties.path.pattern`,
      'expected string',
    ],
    [
      'a pattern that looks around',
      { properties: { path: { type: 'string', pattern: '^(?!/etc)' } } },
      place,
      'cannot be used',
    ],
    [
      'a pattern that is none',
      { properties: { path: { type: 'string', pattern: '[' } } },
      place,
      'Invalid regular expression',
    ],
    ['no object', true, place, 'expected object'],
    ['arguments that are no object', { type: 'string' }, place, 'always an object'],
    [
      'too much',
      { anyOf: Array.from({ length: 50 }, () => ({ allOf: Array.from({ length: 20 }, () => ({})) })) },
      'agents',
      'hold more than',
    ],
  ])('for %s makes the file invalid, with the place', (_what, schema, where, problem) => {
    const text = JSON.stringify({ version: 1, agents: { '*': { arguments: { write: schema } } } });
    expect(() => parsePolicy(text, '/f')).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        message: expect.stringContaining(problem) as string,
        data: { file: '/f', path: where, line: 1 },
      }) as Error,
    );
  });

  it('does not make code of what is written in it', () => {
    const evil = '"); process.exit(1); ("';
    const schema = {
      properties: { [evil]: { type: 'string', const: evil, pattern: 'a' } },
      required: [evil],
      description: evil,
    };
    expect(call(demanding(schema, evil.replaceAll('*', '')), { [evil]: 'x' }, evil).kind).toBe('deny');
  });

  it('never fails otherwise, whatever stands there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (schema) => {
        try {
          parsePolicy(JSON.stringify({ version: 1, agents: { '*': { arguments: { write: schema } } } }), '/f');
        } catch (error) {
          expect(error).toMatchObject({ code: 'POLICY_INVALID' });
        }
      }),
    );
  });
});
