// Several policy files as one: what every file allows (intersection), what any file denies (union), the smallest limit.
// The files stay apart as layers and each is asked, so that a refusal can name the file that lacks an entry.
import type { ErrorInfo } from '../core/errors.ts';
import { auditRules, type AuditRules } from './auditRules.ts';
import type { DestinationEntry, Policy } from './policySchema.ts';

export type PolicyOrigin = 'managed' | 'user' | 'workspace' | 'extra';

/** What was found where a policy file may stand. */
export type PolicySource = { origin: PolicyOrigin; file: string } & (
  | { kind: 'missing' }
  | { kind: 'read'; policy: Policy }
  | { kind: 'broken'; error: ErrorInfo }
);

export type PolicyLayer = { origin: PolicyOrigin; file: string } & (
  | { kind: 'rules'; policy: Policy }
  /** Denies everything it governs, which is everything. */
  | { kind: 'broken'; error: ErrorInfo }
);

export type Limits = {
  requestsPerMinute: number;
  maxBodyBytes: number;
  maxConcurrent: number;
  /** Of one agent, requests and answers together. */
  bytesPerMinute: number;
};

export type MergedPolicy = {
  layers: readonly PolicyLayer[];
  limits: Limits;
  audit: AuditRules;
  /** Entries that any file names, for showing what there is to choose from; being here does not mean being allowed. */
  destinations: readonly DestinationEntry[];
  /** Files that cannot be read. */
  problems: readonly ErrorInfo[];
};

export const defaultLimits: Limits = {
  requestsPerMinute: 600,
  maxBodyBytes: 4_194_304,
  maxConcurrent: 64,
  bytesPerMinute: 4_294_967_296,
};

/** What holds where the user's file is missing, or says nothing about a section. */
export const userDefaults = {
  version: 1,
  destinations: [{ carrier: 'embedded' }],
  upstreams: [{ http: '127.0.0.1:*' }, { http: '[::1]:*' }, { stdio: '*' }],
  agents: { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'], deny: [], readOnly: false } },
  limits: defaultLimits,
} satisfies Policy;

export function mergePolicies(sources: readonly PolicySource[]): MergedPolicy {
  const layers = sources.flatMap(layerOf);
  const policies = layers.flatMap((layer) => (layer.kind === 'rules' ? [layer.policy] : []));
  return {
    layers,
    limits: smallestLimits(policies),
    audit: auditRules(layers),
    destinations: policies.flatMap((policy) => policy.destinations ?? []),
    problems: layers.flatMap((layer) => (layer.kind === 'broken' ? [layer.error] : [])),
  };
}

/** Whether a file has an entry of its own for an agent of this name, which takes the place of what it allows to all. */
export function hasOwnRules({ layers }: MergedPolicy, agent: string): boolean {
  return layers.some((layer) => layer.kind === 'rules' && Object.hasOwn(layer.policy.agents ?? {}, agent));
}

function layerOf(source: PolicySource): PolicyLayer[] {
  const { origin, file } = source;
  switch (source.kind) {
    case 'broken':
      return [{ origin, file, kind: 'broken', error: source.error }];
    case 'read':
      return [{ origin, file, kind: 'rules', policy: origin === 'user' ? completed(source.policy) : source.policy }];
    case 'missing':
      // A managed or workspace file that is not there restricts nothing.
      return origin === 'user' ? [{ origin, file, kind: 'rules', policy: userDefaults }] : [];
  }
}

function completed(policy: Policy): Policy {
  return {
    ...policy,
    destinations: policy.destinations ?? userDefaults.destinations,
    upstreams: policy.upstreams ?? userDefaults.upstreams,
    agents: policy.agents ?? userDefaults.agents,
    limits: { ...defaultLimits, ...policy.limits },
  };
}

/** The defaults are the user's: only his own file can raise them. */
function smallestLimits(policies: readonly Policy[]): Limits {
  const smallest = (name: keyof Limits): number => {
    const named = policies.flatMap((policy) => policy.limits?.[name] ?? []);
    return named.length === 0 ? defaultLimits[name] : Math.min(...named);
  };
  return {
    requestsPerMinute: smallest('requestsPerMinute'),
    maxBodyBytes: smallest('maxBodyBytes'),
    maxConcurrent: smallest('maxConcurrent'),
    bytesPerMinute: smallest('bytesPerMinute'),
  };
}
