// What has to be named to be allowed: by a rule of a policy file, and by a grant that names anything. Both are judged by
// the same function, so they cannot differ in what they take for a name.
import { refused, shown, type Asking, type Finding, type Governed, type GrantScope } from './finding.ts';
import { firstMatch } from './glob.ts';
import { judgeReadOnly } from './denials.ts';
import { isPlainUri } from './plainUri.ts';
import type { Named } from './subject.ts';

export type Section = 'tools' | 'prompts' | 'resources';

/** A list of methods that is absent stands for those that the other lists need. */
export type Allowing = { methods?: readonly string[] | undefined } & {
  [S in Section]?: readonly string[] | undefined;
};

const SECTION = { tool: 'tools', prompt: 'prompts', resource: 'resources' } as const satisfies Record<Named, Section>;

/** `label` stands before the name of a list: `user agents["*"].`. */
export function judgeAllowances(rule: Allowing, label: string, subject: Governed): Finding {
  const methodAt = rule.methods ? firstMatch(rule.methods, subject.method) : -1;
  const implied = !rule.methods && (subject.kind === 'use' || subject.kind === 'list');
  if (methodAt < 0 && !implied) return refused(`${label}methods`, `${shown(subject.method)} is not an allowed method`);
  if (subject.kind === 'other') return { allowed: true, rule: `${label}methods[${methodAt}]` };
  if (subject.kind === 'unknown-use') {
    const restricted = subject.of.find((kind) => !rule[SECTION[kind]]?.includes('*'));
    if (restricted === undefined) return { allowed: true, rule: `${label}methods[${methodAt}]` };
    const reason = `${shown(subject.method)} is not a method that the rules can judge`;
    return refused(`${label}${SECTION[restricted]}`, reason);
  }
  const section = SECTION[subject.of];
  const patterns = rule[section] ?? [];
  if (subject.kind === 'list') {
    if (patterns.length > 0) return { allowed: true, rule: `${label}${section}` };
    return refused(`${label}${section}`, `no ${section} are allowed`);
  }
  return judgeNames(subject, patterns, `${label}${section}`);
}

function judgeNames(
  { of, names }: { of: Named; names: readonly string[] },
  patterns: readonly string[],
  label: string,
): Finding {
  const particular = !patterns.includes('*');
  let rule = label;
  for (const name of names) {
    const place = firstMatch(patterns, name);
    if (place < 0) return refused(label, `the ${of} ${shown(name)} is not allowed`);
    if (of === 'resource' && particular && !isPlainUri(name)) {
      return refused(label, `write the URI ${shown(name)} in its plain form`);
    }
    rule = `${label}[${place}]`;
  }
  return { allowed: true, rule };
}

/** `undefined` where the grant has nothing to say. */
export function judgeGrant(asking: Asking, subject: Governed): Finding | undefined {
  const { scope } = asking;
  if (scope.readOnly === true) {
    const finding = judgeReadOnly('grant readOnly', asking, subject);
    if (finding) return finding;
  }
  const rules = rulesOf(scope);
  if (!rules) return undefined;
  const named = sectionsOf(scope);
  const kinds = subject.kind === 'other' ? [] : [subject.of].flat();
  const isImplied = subject.kind === 'use' || subject.kind === 'list';
  if (kinds.every((kind) => rules[SECTION[kind]] !== undefined) && (isImplied || scope.methods !== undefined)) {
    return judgeAllowances(rules, 'grant ', subject);
  }
  const reason = `${shown(subject.method)} is not part of this grant, which names ${named.join(' and ')} only`;
  return refused(`grant ${named.join(', ')}`, reason);
}

/**
 * A grant that names tools gives no prompts, no resources, nothing else: what it does not name is not given. Methods alone
 * narrow the methods, and what these reach is for the policy to say; beside other lists both have to name a call.
 */
export function rulesOf(scope: GrantScope): Allowing | undefined {
  const named = sectionsOf(scope);
  if (named.length === 0) return undefined;
  if (named.some((section) => section !== 'methods')) return scope;
  return { methods: scope.methods, tools: ['*'], prompts: ['*'], resources: ['*'] };
}

function sectionsOf(scope: GrantScope): readonly (Section | 'methods')[] {
  return (['methods', 'tools', 'prompts', 'resources'] as const).filter((section) => scope[section] !== undefined);
}
