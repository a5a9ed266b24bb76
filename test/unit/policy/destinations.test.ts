import { describe, expect, it } from 'vitest';
import { errorInfo, TunnelError } from '../../../src/core/errors.ts';
import { mayDial, mayPlan, mayRun } from '../../../src/policy/destinations.ts';
import { mergePolicies, type MergedPolicy, type PolicySource } from '../../../src/policy/mergedPolicy.ts';
import type { Policy } from '../../../src/policy/policySchema.ts';

const pin = `sha256/${'A'.repeat(43)}=`;
const otherPin = `sha256/${'B'.repeat(43)}=`;

function user(policy: Partial<Policy>): PolicySource {
  return { origin: 'user', file: '/user.json', kind: 'read', policy: { version: 1, ...policy } };
}
function merged(...sources: PolicySource[]): MergedPolicy {
  return mergePolicies(sources);
}

describe('mayDial', () => {
  it('says which file lacks which entry, and that the user may add it', () => {
    expect(mayDial(merged(user({})), { carrier: 'edge', host: 'edge.example.com:443' })).toEqual({
      kind: 'deny',
      reason:
        'the carrier edge to edge.example.com:443 is not allowed: destinations in /user.json has no entry {"carrier":"edge","host":"edge.example.com:443"}',
      file: '/user.json',
      entry: '{"carrier":"edge","host":"edge.example.com:443"}',
      mayAllow: true,
    });
  });

  it('blames the managed file first, and lets nobody allow what it forbids', () => {
    const managed: PolicySource = {
      origin: 'managed',
      file: '/etc/policy.json',
      kind: 'read',
      policy: { version: 1, destinations: [] },
    };
    const verdict = mayDial(merged(managed, user({})), { carrier: 'edge', host: 'a.example.com' });
    expect(verdict).toMatchObject({ kind: 'deny', file: '/etc/policy.json', mayAllow: false });
  });

  it('blames the user’s own file last, in whatever order the files came', () => {
    const workspace: PolicySource = {
      origin: 'workspace',
      file: '/w.json',
      kind: 'read',
      policy: { version: 1, destinations: [] },
    };
    const verdict = mayDial(merged(user({}), workspace), { carrier: 'edge', host: 'a.example.com' });
    expect(verdict).toMatchObject({ file: '/w.json', mayAllow: false });
  });

  it('says why when a file cannot be read', () => {
    const error = errorInfo(new TunnelError('POLICY_INVALID', '/w.json, line 3: limits is odd'));
    const broken: PolicySource = { origin: 'workspace', file: '/w.json', kind: 'broken', error };
    const verdict = mayDial(merged(broken, user({})), { carrier: 'embedded' });
    expect(verdict).toMatchObject({ kind: 'deny', file: '/w.json', mayAllow: false });
    expect(verdict).toHaveProperty('reason', expect.stringContaining('line 3: limits is odd'));
  });

  it('an entry with a pin allows only a dial that insists on that pin', () => {
    const policy = merged(user({ destinations: [{ carrier: 'edge', host: 'e.example.com', pin }] }));
    const dialled = { carrier: 'edge', host: 'e.example.com' };
    expect(mayDial(policy, { ...dialled, pin }).kind).toBe('allow');
    expect(mayDial(policy, { ...dialled, pin: otherPin }).kind).toBe('deny');
    expect(mayDial(policy, dialled).kind).toBe('deny');
  });

  it('a pin that nobody asked for changes nothing', () => {
    const policy = merged(user({ destinations: [{ carrier: 'edge', host: 'e.example.com' }] }));
    expect(mayDial(policy, { carrier: 'edge', host: 'e.example.com', pin }).kind).toBe('allow');
  });

  it('judges the public name once the carrier has reported it', () => {
    const policy = merged(user({ destinations: [{ carrier: 'cloudflared', publicName: '*.trycloudflare.com' }] }));
    expect(mayDial(policy, { carrier: 'cloudflared' }).kind).toBe('allow');
    expect(mayDial(policy, { carrier: 'cloudflared', publicName: 'a.trycloudflare.com' }).kind).toBe('allow');
    expect(mayDial(policy, { carrier: 'cloudflared', publicName: 'a.example.com' }).kind).toBe('deny');
    expect(mayDial(policy, { carrier: 'ngrok', publicName: 'a.trycloudflare.com' }).kind).toBe('deny');
  });

  it('tells services from carriers', () => {
    const policy = merged(user({ destinations: [{ service: 'acme', host: 'acme.example.com' }] }));
    expect(mayDial(policy, { service: 'acme', host: 'acme.example.com:443' }).kind).toBe('allow');
    expect(mayDial(policy, { service: 'jwks', host: 'acme.example.com' }).kind).toBe('deny');
    expect(mayDial(policy, { carrier: 'edge', host: 'acme.example.com' }).kind).toBe('deny');
  });

  it('an entry with a host does not cover a dial that names none', () => {
    const policy = merged(user({ destinations: [{ carrier: 'edge', host: '*' }] }));
    expect(mayDial(policy, { carrier: 'edge' }).kind).toBe('deny');
  });
});

describe('mayPlan', () => {
  it('leaves the pin for the dial to judge, and nothing else', () => {
    const policy = merged(user({ destinations: [{ carrier: 'edge', host: 'e.example.com', pin }] }));
    expect(mayPlan(policy, { carrier: 'edge', host: 'e.example.com' }).kind).toBe('allow');
    expect(mayPlan(policy, { carrier: 'edge', host: 'f.example.com' }).kind).toBe('deny');
  });
});

describe('mayRun', () => {
  const missing: PolicySource = { origin: 'user', file: '/user.json', kind: 'missing' };

  it.each([
    [{ http: '127.0.0.1:3000' }, 'allow'],
    [{ http: '[::1]:3000' }, 'allow'],
    [{ http: 'localhost:3000' }, 'allow'],
    [{ http: 'LOCALHOST:80' }, 'allow'],
    [{ http: '0.0.0.0:3000' }, 'deny'],
    [{ http: '192.168.1.2:3000' }, 'deny'],
    [{ http: '169.254.169.254:80' }, 'deny'],
    [{ http: 'localhost.example.com:80' }, 'deny'],
    [{ stdio: 'node server.js --flag' }, 'allow'],
  ] as const)('without a file, %j gets %s', (upstream, kind) => {
    expect(mayRun(merged(missing), upstream).kind).toBe(kind);
  });

  it('matches the whole command line', () => {
    const policy = merged(user({ upstreams: [{ stdio: 'node *' }] }));
    expect(mayRun(policy, { stdio: 'node server.js' }).kind).toBe('allow');
    expect(mayRun(policy, { stdio: '/tmp/node server.js' }).kind).toBe('deny');
    expect(mayRun(policy, { http: '127.0.0.1:3000' })).toMatchObject({ kind: 'deny', mayAllow: false });
  });
});
