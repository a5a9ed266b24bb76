import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import type { GrantScope } from '../../../src/policy/finding.ts';
import { decide, type Decision } from '../../../src/policy/decide.ts';
import { mergePolicies, type MergedPolicy } from '../../../src/policy/mergedPolicy.ts';
import type { AgentRule } from '../../../src/policy/policySchema.ts';
import { maxNameLength } from '../../../src/policy/subject.ts';
import { mayList } from '../../../src/policy/visible.ts';

const everything: AgentRule = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };

function policyOf(rule: AgentRule, agent = '*'): MergedPolicy {
  const agents = { [agent]: rule };
  return mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }]);
}
function request(method: string, params?: JsonObject): RpcMessage {
  return { kind: 'request', id: 1, method, params };
}
const call = (name: unknown): RpcMessage => request('tools/call', { name } as JsonObject);
const read = (uri: string): RpcMessage => request('resources/read', { uri });

function ask(policy: MergedPolicy, messages: RpcMessage | RpcMessage[], scope: GrantScope = {}, agent = 'a'): Decision {
  const hints: Record<string, { readOnlyHint?: boolean }> = {
    look: { readOnlyHint: true },
    write: { readOnlyHint: false },
    silent: {},
  };
  return decide(policy, {
    agent,
    scope,
    messages: Array.isArray(messages) ? messages : [messages],
    annotations: (tool) => hints[tool],
  });
}

const harmless: RpcMessage[] = [
  request('initialize', {}),
  request('ping'),
  request('server/discover'),
  request('subscriptions/listen', { notifications: { toolsListChanged: true } }),
  { kind: 'notification', method: 'notifications/initialized', params: undefined },
  { kind: 'notification', method: 'notifications/cancelled', params: { requestId: 1 } },
  { kind: 'result', id: 7, result: {} },
  { kind: 'error', id: 7, error: { code: -1, message: 'no' } },
];

describe('decide', () => {
  it.each(harmless)('lets %j pass under the narrowest rules', (message) => {
    expect(ask(policyOf({}), message, { tools: [], readOnly: true })).toEqual({
      kind: 'allow',
      rule: 'always allowed',
    });
  });

  it.each(['resources/subscribe', 'resources/unsubscribe'])(
    'lets %s that names nothing pass where all is allowed',
    (method) => {
      expect(ask(policyOf(everything), request(method, {})).kind).toBe('allow');
      expect(ask(policyOf({ ...everything, resources: ['test://a'] }), request(method, {})).kind).toBe('deny');
      expect(ask(policyOf(everything), request(method, { uri: 7 })).kind).toBe('deny');
    },
  );

  it('allows a tool that policy and grant both name, and says which rules did', () => {
    expect(ask(policyOf({ tools: ['x', 'e*'] }), call('echo'), { tools: ['echo'] })).toEqual({
      kind: 'allow',
      rule: 'user agents["*"].tools[1], grant tools[0]',
    });
  });

  it('refuses a tool that only one of them names', () => {
    expect(ask(policyOf({ tools: ['e*'] }), call('look'), { tools: ['*'] })).toMatchObject({
      kind: 'deny',
      rule: 'user agents["*"].tools',
      reason: 'the tool "look" is not allowed',
    });
    expect(ask(policyOf(everything), call('look'), { tools: ['e*'] })).toMatchObject({ rule: 'grant tools' });
  });

  it('a grant that is wider than the policy gives no more than the policy', () => {
    expect(ask(policyOf({ tools: ['echo'] }), call('rm'), { tools: ['*'] }).kind).toBe('deny');
  });

  it.each(['Echo', 'echo ', 'echo\u0000', 'ｅcho', 'e\u0441ho', 'echo\n', '', 'echo/../x'])(
    'takes names byte for byte: %j is not echo',
    (name) => {
      expect(ask(policyOf({ tools: ['echo'] }), call(name)).kind).toBe('deny');
    },
  );

  it.each([undefined, null, 1, ['echo'], { name: 'echo' }])('refuses a tool whose name is %j', (name) => {
    expect(ask(policyOf(everything), call(name))).toMatchObject({ kind: 'deny', rule: 'message' });
  });

  it('refuses a call without parameters, or with a list of them', () => {
    expect(ask(policyOf(everything), request('tools/call')).kind).toBe('deny');
    expect(ask(policyOf(everything), { kind: 'request', id: 1, method: 'tools/call', params: ['echo'] }).kind).toBe(
      'deny',
    );
  });

  it('deny wins over every allowance, line breaks included', () => {
    const policy = policyOf({ ...everything, deny: ['write_*'] });
    expect(ask(policy, call('write_file'))).toMatchObject({ kind: 'deny', rule: 'user agents["*"].deny[0]' });
    expect(ask(policy, call('write_\n')).kind).toBe('deny');
    expect(ask(policy, call('read_file')).kind).toBe('allow');
    expect(ask(policy, request('prompts/get', { name: 'write_x' })).kind).toBe('deny');
  });

  it('a pattern with a slash denies methods too, one without does not', () => {
    expect(ask(policyOf({ ...everything, deny: ['resources/*'] }), read('a:b')).kind).toBe('deny');
    expect(ask(policyOf({ ...everything, deny: ['*list*'] }), request('tools/list')).kind).toBe('allow');
    expect(ask(policyOf({ ...everything, deny: ['logging/setLevel'] }), request('logging/setLevel')).kind).toBe('deny');
  });

  describe('read-only', () => {
    const rows: [string, 'allow' | 'deny'][] = [
      ['look', 'allow'],
      ['write', 'deny'],
      ['silent', 'deny'],
      ['never-listed', 'deny'],
      ['__proto__', 'deny'],
    ];
    it.each(rows)('the tool %s gets %s, by policy and by grant', (tool, kind) => {
      expect(ask(policyOf({ ...everything, readOnly: true }), call(tool)).kind).toBe(kind);
      expect(ask(policyOf(everything), call(tool), { readOnly: true }).kind).toBe(kind);
    });

    it('refuses methods that nobody can judge, and lets reading pass', () => {
      const kinds = (method: string): string => ask(policyOf(everything), request(method), { readOnly: true }).kind;
      expect(kinds('tasks/cancel')).toBe('deny');
      expect(kinds('vendor/anything')).toBe('deny');
      expect(kinds('logging/setLevel')).toBe('allow');
      expect(kinds('tools/list')).toBe('allow');
      expect(ask(policyOf(everything), read('a:b'), { readOnly: true }).kind).toBe('allow');
    });
  });

  it('refuses methods that no rule names; * names all', () => {
    expect(ask(policyOf({ tools: ['*'] }), request('vendor/x'))).toMatchObject({ rule: 'user agents["*"].methods' });
    expect(ask(policyOf({ methods: ['vendor/x'] }), request('vendor/x')).kind).toBe('allow');
    expect(ask(policyOf({ methods: ['*'] }), request('vendor/x')).kind).toBe('allow');
  });

  it('a list of methods holds for tools as well', () => {
    const policy = policyOf({ methods: ['tools/list'], tools: ['*'] });
    expect(ask(policy, call('echo')).kind).toBe('deny');
    expect(ask(policy, request('tools/list')).kind).toBe('allow');
  });

  it('a list may be asked for when something in it could be used', () => {
    const policy = policyOf({ tools: ['echo'] });
    expect(ask(policy, request('tools/list')).kind).toBe('allow');
    expect(ask(policy, request('prompts/list')).kind).toBe('deny');
    expect(ask(policy, request('resources/list')).kind).toBe('deny');
    expect(ask(policy, request('resources/templates/list')).kind).toBe('deny');
    expect(ask(policy, request('tools/list'), { tools: [] }).kind).toBe('deny');
  });

  it.each([
    request('prompts/get', { name: 'p' }),
    request('prompts/list'),
    read('file:///x'),
    request('resources/subscribe', { uri: 'file:///x' }),
    request('resources/list'),
    request('resources/templates/list'),
    request('completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }),
    request('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///x' } }),
    request('subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///x'] } }),
    request('logging/setLevel'),
    request('tasks/list'),
    request('vendor/x'),
    request('Tools/Call', { name: 'echo' }),
  ])('a grant that names tools does not give %j', (message) => {
    expect(ask(policyOf(everything), message, { tools: ['*'] })).toMatchObject({ kind: 'deny', rule: 'grant tools' });
  });

  it('judges completion by what it completes', () => {
    const policy = policyOf({ prompts: ['p'], resources: ['file:///{path}'] });
    const complete = (ref: JsonObject): string => ask(policy, request('completion/complete', { ref })).kind;
    expect(complete({ type: 'ref/prompt', name: 'p' })).toBe('allow');
    expect(complete({ type: 'ref/prompt', name: 'q' })).toBe('deny');
    expect(complete({ type: 'ref/resource', uri: 'file:///{path}' })).toBe('allow');
    expect(complete({ type: 'ref/resource', uri: 'db:///{path}' })).toBe('deny');
    expect(complete({ type: 'ref/tool', name: 'p' })).toBe('deny');
    expect(ask(policy, request('completion/complete')).kind).toBe('deny');
  });

  it('what is denied in the words of one era is denied in those of the other', () => {
    const subscribe = request('resources/subscribe', { uri: 'a:1' });
    const listen = request('subscriptions/listen', { notifications: { resourceSubscriptions: ['a:1'] } });
    for (const denied of ['resources/subscribe', 'subscriptions/listen', 'subscriptions/*']) {
      const policy = policyOf({ ...everything, deny: [denied] });
      expect([denied, ask(policy, subscribe).kind, ask(policy, listen).kind]).toEqual([denied, 'deny', 'deny']);
      expect(ask(policy, read('a:1')).kind).toBe('allow');
    }
  });

  it('refuses methods and names that are too long to be compared with every pattern', () => {
    const long = 'a'.repeat(maxNameLength);
    const policy = policyOf(everything);
    for (const name of [long, `${long}a`]) {
      const kind = name === long ? 'allow' : 'deny';
      expect(ask(policy, call(name)).kind).toBe(kind);
      expect(ask(policy, request(name)).kind).toBe(kind);
      expect(ask(policy, read(name)).kind).toBe(kind);
      const uris = { notifications: { resourceSubscriptions: [name] } };
      expect(ask(policy, request('subscriptions/listen', uris)).kind).toBe(kind);
      expect(mayList(policy, 'tester', {}, 'tool', { name })).toBe(kind === 'allow');
    }
  });

  it('judges the resources that a subscription names', () => {
    const policy = policyOf({ resources: ['a:*'] });
    const listen = (resourceSubscriptions: unknown): string =>
      ask(policy, request('subscriptions/listen', { notifications: { resourceSubscriptions } } as JsonObject)).kind;
    expect(listen(['a:1', 'a:2'])).toBe('allow');
    expect(listen(['a:1', 'b:1'])).toBe('deny');
    expect(listen('b:1')).toBe('deny');
    expect(listen([{ uri: 'a:1' }])).toBe('deny');
    expect(ask(policy, request('subscriptions/listen', { notifications: 'all' })).kind).toBe('deny');
  });

  it.each([
    'file:///docs/../etc/passwd',
    'file:///docs/./x',
    'file:///docs/%2e%2e/etc/passwd',
    'file:///docs/%252e%252e/etc/passwd',
    'file:///docs/..',
    'file:///docs/..\\..\\etc',
    'file:///docs/%65tc',
    'file:///docs/a%2f..%2fb',
    'file:///docs/x\u0000',
  ])('does not let %s pass for something under file:///docs/', (uri) => {
    expect(ask(policyOf({ resources: ['file:///docs/*'] }), read(uri)).kind).toBe('deny');
  });

  it.each(['FILE:///etc/passwd', 'file:///%65tc/passwd', 'file:///x/../etc/passwd'])(
    'does not let %s get around a denied resource',
    (uri) => {
      expect(ask(policyOf({ ...everything, deny: ['file:///etc/*'] }), read(uri)).kind).toBe('deny');
    },
  );

  it('takes any URI where every resource is allowed', () => {
    expect(ask(policyOf(everything), read('FILE:///docs/../etc')).kind).toBe('allow');
    expect(ask(policyOf({ resources: ['file:///docs/*'] }), read('file:///docs/a..b/.hidden/%C3%A9')).kind).toBe(
      'allow',
    );
  });

  it.each([
    'Tools/Call',
    'tools/call ',
    ' tools/call',
    'tools/call\u200b',
    't\u200bools/call',
    't ools/call',
    'ｔools/call',
    'TOOLS.CALL',
    'tools//call',
    'tools/callMany',
    'tool_call',
  ])('does not take %j for a method of its own where tools are restricted', (method) => {
    const message = request(method, { name: 'rm' });
    expect(ask(policyOf({ ...everything, tools: ['echo'] }), message).kind).toBe('deny');
    expect(ask(policyOf({ ...everything, deny: ['rm'] }), message).kind).toBe('deny');
    expect(ask(policyOf(everything), message, { readOnly: true }).kind).toBe('deny');
    expect(ask(policyOf(everything), message).kind).toBe('allow');
  });

  it('a call that comes without an id is a call', () => {
    const message: RpcMessage = { kind: 'notification', method: 'tools/call', params: { name: 'rm' } };
    expect(ask(policyOf({ methods: ['*'], tools: ['echo'] }), message).kind).toBe('deny');
  });

  it('a notification that asks for an answer is none', () => {
    expect(ask(policyOf({ tools: ['*'] }), request('notifications/initialized')).kind).toBe('deny');
  });

  it('refuses a batch for one of its elements, and says which', () => {
    const policy = policyOf({ tools: ['echo'] });
    const batch = [request('ping'), call('echo'), call('rm'), call('x')];
    expect(ask(policy, batch)).toMatchObject({ kind: 'deny', messageIndex: 2 });
    expect(ask(policy, batch.slice(0, 2)).kind).toBe('allow');
  });

  it('a stream or the end of a session has no message to judge', () => {
    expect(ask(policyOf({}), []).kind).toBe('allow');
  });

  describe('agents by name', () => {
    const agents = { '*': { tools: ['look'], deny: ['rm'] }, ci: { tools: ['*'] } };
    const policy = mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }]);

    it('an entry of its own replaces what * allows', () => {
      expect(ask(policy, call('write'), {}, 'ci').kind).toBe('allow');
      expect(ask(policy, call('write'), {}, 'other').kind).toBe('deny');
      expect(ask(policy, call('write'), {}, 'CI').kind).toBe('deny');
    });

    it('but not what * denies', () => {
      expect(ask(policy, call('rm'), {}, 'ci')).toMatchObject({ kind: 'deny', rule: 'user agents["*"].deny[0]' });
    });

    it.each(['*', '__proto__', 'constructor', 'toString'])('a grant named %s has no entry of its own', (name) => {
      expect(ask(policy, call('write'), {}, name).kind).toBe('deny');
      expect(ask(policyOf(everything, 'ci'), call('write'), {}, name)).toMatchObject({ rule: 'user agents' });
    });
  });

  it('nothing passes while a file cannot be read, and the agent is not told which', () => {
    const error = { code: 'POLICY_INVALID', message: '/home/me/secret-path is odd', retryable: false } as const;
    const policy = mergePolicies([{ origin: 'workspace', file: '/w', kind: 'broken', error }]);
    for (const message of [...harmless, call('echo')]) {
      const decision = ask(policy, message);
      expect(decision).toMatchObject({ kind: 'deny', rule: 'workspace' });
      expect(decision).toHaveProperty('reason', expect.not.stringContaining('secret-path'));
    }
    expect(ask(policy, []).kind).toBe('deny');
  });

  it('cuts what an agent wrote to the length of a sentence', () => {
    const decision = ask(policyOf({}), call('x'.repeat(maxNameLength)));
    expect(decision).toHaveProperty('reason', `the tool "${'x'.repeat(80)}…" is not allowed`);
  });
});

describe('what is denied to all', () => {
  const agents = { '*': { ...everything, deny: ['file:///secret/*'] }, claude: everything };
  const policy = mergePolicies([{ origin: 'user', file: '/u', kind: 'read', policy: { version: 1, agents } }]);

  it.each([
    'file:///secret/key',
    'file:///%73ecret/key',
    'file:///x/../secret/key',
    'file://localhost/secret/key',
    'file:/secret/key',
    'file:////secret/key',
    'FILE:///secret/key',
  ])('is denied to an agent with rules of its own, also as %s', (uri) => {
    expect(ask(policy, read(uri), {}, 'claude').kind).toBe('deny');
    expect(ask(policy, read(uri), {}, 'another').kind).toBe('deny');
  });

  it('leaves the rest to it', () => {
    expect(ask(policy, read('file:///open/key'), {}, 'claude').kind).toBe('allow');
  });
});
