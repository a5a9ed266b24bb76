// Every combination of missing, broken, narrow and wide files, judged by what it lets through.
import { describe, expect, it } from 'vitest';
import { errorInfo, TunnelError } from '../../../src/core/errors.ts';
import { decide } from '../../../src/policy/decide.ts';
import { mayDial, mayRun } from '../../../src/policy/destinations.ts';
import {
  defaultLimits,
  mergePolicies,
  type PolicyOrigin,
  type PolicySource,
} from '../../../src/policy/mergedPolicy.ts';
import type { GrantScope } from '../../../src/policy/finding.ts';
import type { Policy } from '../../../src/policy/policySchema.ts';

type State = 'missing' | 'broken' | 'silent' | 'narrow' | 'wide';
const states: readonly State[] = ['missing', 'broken', 'silent', 'narrow', 'wide'];

const narrow: Policy = {
  version: 1,
  destinations: [{ carrier: 'embedded' }],
  upstreams: [{ stdio: 'node *' }],
  agents: {
    '*': {
      tools: ['echo'],
      deny: ['secret'],
      readOnly: true,
      arguments: { 'e*': { properties: { path: { type: 'string', pattern: '^/srv/' } } } },
    },
  },
  limits: { requestsPerMinute: 10, maxBodyBytes: 1_000, maxConcurrent: 2, bytesPerMinute: 5_000 },
};
const wide: Policy = {
  version: 1,
  destinations: [{ carrier: 'embedded' }, { carrier: 'edge', host: '**.example.com:*' }],
  upstreams: [{ http: '*:*' }, { stdio: '*' }],
  agents: { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] } },
  limits: { requestsPerMinute: 5_000, maxBodyBytes: 60_000_000, maxConcurrent: 500, bytesPerMinute: 2 ** 40 },
};

function source(origin: PolicyOrigin, state: State): PolicySource {
  const place = { origin, file: `/${origin}.json` };
  const error = errorInfo(new TunnelError('POLICY_INVALID', `${origin} is broken`));
  switch (state) {
    case 'missing':
      return { ...place, kind: 'missing' };
    case 'broken':
      return { ...place, kind: 'broken', error };
    case 'silent':
      return { ...place, kind: 'read', policy: { version: 1 } };
    case 'narrow':
      return { ...place, kind: 'read', policy: narrow };
    case 'wide':
      return { ...place, kind: 'read', policy: wide };
  }
}

const combinations = states.flatMap((managed) =>
  states.flatMap((user) => states.map((workspace) => ({ managed, user, workspace }))),
);

describe('mergePolicies', () => {
  it.each(combinations)('managed $managed, user $user, workspace $workspace', ({ managed, user, workspace }) => {
    const policy = mergePolicies([source('managed', managed), source('workspace', workspace), source('user', user)]);
    const all = [managed, user, workspace];
    const broken = all.includes('broken');
    const narrowed = all.includes('narrow');
    const call = (tool: string, readOnlyHint: boolean, path = '/srv/x', scope: GrantScope = {}): string =>
      decide(policy, {
        agent: 'any',
        scope,
        messages: [{ kind: 'request', id: 1, method: 'tools/call', params: { name: tool, arguments: { path } } }],
        annotations: () => ({ readOnlyHint }),
      }).kind;
    const verdict = (allowed: boolean): string => (allowed ? 'allow' : 'deny');

    // Allow is the intersection. The user's file gives embedded alone when it is missing or says nothing.
    expect(mayDial(policy, { carrier: 'embedded' }).kind).toBe(verdict(!broken));
    expect(mayDial(policy, { carrier: 'edge', host: 'edge.example.com' }).kind).toBe(
      verdict(!broken && !narrowed && user === 'wide'),
    );
    expect(mayRun(policy, { stdio: 'node server.js' }).kind).toBe(verdict(!broken));
    expect(mayRun(policy, { stdio: 'python server.py' }).kind).toBe(verdict(!broken && !narrowed));
    expect(mayRun(policy, { http: '10.1.2.3:80' }).kind).toBe(verdict(!broken && user === 'wide' && !narrowed));
    expect(call('echo', true)).toBe(verdict(!broken));
    expect(call('other', true)).toBe(verdict(!broken && !narrowed));
    // Deny and readOnly are the union.
    expect(call('secret', true)).toBe(verdict(!broken && !narrowed));
    expect(call('echo', false)).toBe(verdict(!broken && !narrowed));
    expect(call('echo', true, '/etc/x')).toBe(verdict(!broken && !narrowed));
    // A grant takes its part of what is left, and never more.
    expect(call('echo', true, '/srv/x', { tools: ['echo'] })).toBe(verdict(!broken));
    expect(call('other', true, '/srv/x', { methods: ['*'], tools: ['*'] })).toBe(verdict(!broken && !narrowed));
    expect(call('echo', true, '/srv/x', { prompts: ['*'], resources: ['*'] })).toBe('deny');
    expect(call('echo', true, '/srv/x', { methods: ['tools/list'] })).toBe('deny');
    expect(call('echo', false, '/srv/x', { readOnly: true })).toBe('deny');
    // Limits are the smallest that anybody names; only the user's own file can raise the defaults.
    if (narrowed) expect(policy.limits).toEqual(narrow.limits);
    else if (user !== 'broken') expect(policy.limits).toEqual(user === 'wide' ? wide.limits : defaultLimits);
    expect(policy.problems).toHaveLength(all.filter((state) => state === 'broken').length);
  });

  it('takes the smallest of each limit by itself', () => {
    const limited = (limits: Policy['limits']): PolicySource => ({
      origin: 'workspace',
      file: '/w.json',
      kind: 'read',
      policy: { version: 1, limits },
    });
    const policy = mergePolicies([limited({ requestsPerMinute: 5, maxConcurrent: 9 }), limited({ maxConcurrent: 3 })]);
    expect(policy.limits).toEqual({ ...defaultLimits, requestsPerMinute: 5, maxConcurrent: 3 });
  });

  it('an entry that each file writes in its own way is in the intersection', () => {
    const read = (origin: PolicyOrigin, host: string): PolicySource => ({
      origin,
      file: `/${origin}.json`,
      kind: 'read',
      policy: { version: 1, destinations: [{ carrier: 'edge', host }] },
    });
    const policy = mergePolicies([read('managed', '*.example.com:*'), read('user', 'edge.**:443')]);
    expect(mayDial(policy, { carrier: 'edge', host: 'edge.example.com' })).toEqual({
      kind: 'allow',
      rule: 'managed destinations[0], user destinations[0]',
    });
    expect(mayDial(policy, { carrier: 'edge', host: 'edge.example.com:8443' }).kind).toBe('deny');
  });
});
