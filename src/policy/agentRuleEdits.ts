// Changes to what the user's policy file says of one agent, or of all: one tool more or less, read-only or not.
import { TunnelError } from '../core/errors.ts';
import { firstMatch } from './glob.ts';
import { userDefaults } from './mergedPolicy.ts';
import { parsePolicy } from './policyFile.ts';
import { agentNameSchema, patternSchema, type AgentRule } from './policySchema.ts';
import { newPolicyText, withElement, withoutElement, withValue } from './policyText.ts';
import { subjectOf } from './subject.ts';

/** `agent` is the name of a grant, or `*` for all. */
export type RuleEdit = { agent: string } & ({ tool: string; access: 'allowed' | 'denied' } | { readOnly: boolean });

/**
 * Changes no more than is needed, and nothing where the file says it already. Throws `POLICY_INVALID` for a file that
 * cannot be read, `USAGE` for a name that a rule cannot say.
 */
export function withRuleEdit(old: string | undefined, edit: RuleEdit, file: string): string {
  demandSayable(edit);
  const text = withAgents(old?.replace(/^\uFEFF/, '') ?? newPolicyText(), file);
  const { own, everyone } = rulesFor(text, edit.agent, file);
  const changed = 'tool' in edit ? withTool(text, edit, file) : withReadOnly(text, edit, own, everyone);
  parsePolicy(changed, file);
  return changed;
}

function withTool(text: string, { agent, tool, access }: Extract<RuleEdit, { tool: string }>, file: string): string {
  const { own, everyone } = rulesFor(text, agent, file);
  if (access === 'denied') {
    const isDenied = [own, everyone].some((rule) => firstMatch(rule?.deny ?? [], tool) >= 0);
    return isDenied ? text : withListed(withOwnEntry(text, agent, file), [agent, 'deny'], own?.deny, tool);
  }
  const places = (own?.deny ?? []).flatMap((pattern, place) => (pattern === tool ? [place] : []));
  const freed = places
    .toReversed()
    .reduce((kept, place) => withoutElement(kept, ['agents', agent, 'deny'], place), text);
  const { tools = [] } = own ?? everyone ?? {};
  if (firstMatch(tools, tool) >= 0) return freed;
  const mine = withOwnEntry(freed, agent, file);
  return withListed(mine, [agent, 'tools'], rulesFor(mine, agent, file).own?.tools, tool);
}

function withReadOnly(
  text: string,
  { agent, readOnly }: Extract<RuleEdit, { readOnly: boolean }>,
  own: AgentRule | undefined,
  everyone: AgentRule | undefined,
): string {
  const isReadOnly = own?.readOnly === true || everyone?.readOnly === true;
  if (readOnly ? isReadOnly : own?.readOnly !== true) return text;
  return withValue(withEntry(text, agent, own, everyone), ['agents', agent, 'readOnly'], readOnly);
}

/** A file that says nothing of agents leaves them to the defaults: these are spelled out before one of them changes. */
function withAgents(text: string, file: string): string {
  return parsePolicy(text, file).agents ? text : withValue(text, ['agents'], userDefaults.agents);
}

function withOwnEntry(text: string, agent: string, file: string): string {
  const { own, everyone } = rulesFor(text, agent, file);
  return withEntry(text, agent, own, everyone);
}

/**
 * An entry of its own takes the place of what `*` allows, so it begins with a copy of that; what `*` denies, demands of
 * arguments or makes read-only holds for it all the same.
 */
function withEntry(text: string, agent: string, own: AgentRule | undefined, everyone: AgentRule | undefined): string {
  if (own) return text;
  const { methods, tools, prompts, resources } = everyone ?? {};
  const entry = JSON.parse(JSON.stringify({ methods, tools, prompts, resources })) as object; // Absent lists stay absent.
  return withValue(text, ['agents', agent], entry);
}

function withListed(text: string, path: string[], list: readonly string[] | undefined, name: string): string {
  const place = ['agents', ...path];
  return list ? withElement(text, place, list.length, name) : withValue(text, place, [name]);
}

type Rules = { own: AgentRule | undefined; everyone: AgentRule | undefined };

/** For `*` its own entry is the one of everyone. */
function rulesFor(text: string, agent: string, file: string): Rules {
  const { agents = {} } = parsePolicy(text, file);
  const entry = (name: string): AgentRule | undefined => (Object.hasOwn(agents, name) ? agents[name] : undefined);
  return { own: entry(agent), everyone: entry('*') };
}

function demandSayable(edit: RuleEdit): void {
  const refuse = (problem: string): never => {
    throw new TunnelError('USAGE', problem);
  };
  if (edit.agent === '__proto__' || !agentNameSchema.safeParse(edit.agent).success) {
    refuse(`no rule can name the agent ${JSON.stringify(edit.agent.slice(0, 80))}; give its grant another name`);
  }
  if (!('tool' in edit)) return;
  const name = JSON.stringify(edit.tool.slice(0, 80));
  if (edit.tool.includes('*'))
    refuse(`in a rule ${name} would be a pattern for many names; write it into the file yourself`);
  if (!patternSchema.safeParse(edit.tool).success) refuse(`no rule can name the tool ${name}`);
  const { kind } = subjectOf({ kind: 'request', id: 0, method: edit.tool, params: undefined });
  if (edit.tool.includes('/') && kind !== 'other') refuse(`in a rule ${name} would name a method of MCP, too`);
}
