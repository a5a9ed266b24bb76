// What a grant gives, by what it names, where the policy allows everything.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { decide, type Decision } from '../../../src/policy/decide.ts';
import type { GrantScope } from '../../../src/policy/finding.ts';
import { mergePolicies, type MergedPolicy } from '../../../src/policy/mergedPolicy.ts';

const open = mergePolicies([{ origin: 'user', file: '/u', kind: 'missing' }]);

function request(method: string, params?: JsonObject): RpcMessage {
  return { kind: 'request', id: 1, method, params };
}

function kind(scope: GrantScope, message: RpcMessage, policy: MergedPolicy = open): Decision['kind'] {
  const annotations = (tool: string) => ({ readOnlyHint: tool === 'look' });
  return decide(policy, { agent: 'a', scope, messages: [message], annotations }).kind;
}

const messages = {
  'tools/list': request('tools/list'),
  'call echo': request('tools/call', { name: 'echo' }),
  'call look': request('tools/call', { name: 'look' }),
  'prompts/list': request('prompts/list'),
  'get p': request('prompts/get', { name: 'p' }),
  'get q': request('prompts/get', { name: 'q' }),
  'complete p': request('completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }),
  'resources/list': request('resources/list'),
  templates: request('resources/templates/list'),
  'read a': request('resources/read', { uri: 'file:///a' }),
  'read b': request('resources/read', { uri: 'file:///b' }),
  'read a otherwise': request('resources/read', { uri: 'FILE:///a' }),
  'subscribe a': request('resources/subscribe', { uri: 'file:///a' }),
  'listen to b': request('subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///b'] } }),
  'complete template': request('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{x}' } }),
  'logging/setLevel': request('logging/setLevel'),
  'vendor/x': request('vendor/x'),
  'Tools/Call': request('Tools/Call', { name: 'echo' }),
} satisfies Record<string, RpcMessage>;

type Name = keyof typeof messages;
const all = Object.keys(messages) as Name[];
const usual: Name[] = all.filter((name) => !['logging/setLevel', 'vendor/x', 'Tools/Call'].includes(name));

const rows: [GrantScope, Name[]][] = [
  [{}, all],
  [{ tools: ['echo'] }, ['tools/list', 'call echo']],
  [{ tools: [] }, []],
  [{ prompts: ['p'] }, ['prompts/list', 'get p', 'complete p']],
  [{ resources: ['file:///a'] }, ['resources/list', 'templates', 'read a', 'subscribe a']],
  [{ resources: ['file:///{x}'] }, ['resources/list', 'templates', 'complete template']],
  [{ tools: ['*'], prompts: ['*'], resources: ['*'] }, usual],
  [{ tools: ['echo'], prompts: ['q'] }, ['tools/list', 'call echo', 'prompts/list', 'get q']],
  [{ methods: [] }, []],
  [{ methods: ['*'] }, all],
  [{ methods: ['tools/*'] }, ['tools/list', 'call echo', 'call look']],
  [{ methods: ['tools/call'], tools: ['echo'] }, ['call echo']],
  [{ methods: ['tools/call'], prompts: ['p'] }, []],
  [{ methods: ['logging/setLevel'] }, ['logging/setLevel']],
  [{ methods: ['logging/setLevel'], tools: ['*'] }, ['logging/setLevel']],
  [{ methods: ['*'], tools: ['echo'] }, ['tools/list', 'call echo', 'logging/setLevel', 'vendor/x']],
  [
    { methods: ['*'], tools: ['*'] },
    ['tools/list', 'call echo', 'call look', 'logging/setLevel', 'vendor/x', 'Tools/Call'],
  ],
  [{ readOnly: true, tools: ['*'] }, ['tools/list', 'call look']],
  [{ readOnly: true, methods: ['*'] }, all.filter((name) => !['call echo', 'vendor/x', 'Tools/Call'].includes(name))],
];

describe('a grant', () => {
  it.each(rows)('%j gives %j and nothing else', (scope, given) => {
    const allowed = all.filter((name) => kind(scope, messages[name]) === 'allow');
    expect(allowed.toSorted()).toEqual(given.toSorted());
  });

  it('never gives what the policy does not, whatever it names', () => {
    const patterns = fc.array(fc.constantFrom('*', 'echo', 'tools/*', 'p', 'file:///*'), { maxLength: 3 });
    const scopes = fc.record(
      { methods: patterns, tools: patterns, prompts: patterns, resources: patterns, readOnly: fc.boolean() },
      { requiredKeys: [] },
    );
    const agents = { '*': { tools: ['e*'], prompts: ['q'], resources: ['file:///b'], deny: ['echo2'] } };
    const policy = mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }]);
    fc.assert(
      fc.property(scopes, fc.constantFrom(...all), (scope, name) => {
        if (kind({}, messages[name], policy) === 'deny') expect(kind(scope, messages[name], policy)).toBe('deny');
      }),
    );
  });

  it('that names one thing more never gives less', () => {
    fc.assert(
      fc.property(fc.subarray(['echo', 'look', 'x']), fc.constantFrom(...all), (tools, name) => {
        const before = kind({ tools }, messages[name]);
        expect([before, 'allow']).toContain(kind({ tools: [...tools, '*'] }, messages[name]));
      }),
    );
  });

  it('says what it names when it is asked for something else', () => {
    const scope = { tools: ['echo'], resources: ['file:///a'] };
    const asking = { agent: 'a', scope, annotations: () => undefined, messages: [messages['get p']] };
    expect(decide(open, asking)).toMatchObject({
      rule: 'grant tools, resources',
      reason: '"prompts/get" is not part of this grant, which names tools and resources only',
    });
  });
});
