// The rules as a person sees and changes them: each tool of a server with what every agent may do with it, and edits of
// the user's policy file.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { ServerTools } from '../gateway/askTools.ts';
import { anyServer } from '../identity/grants.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import { isReadOnly, toolVerdict, unknownNames } from '../policy/toolRules.ts';
import type { GrantInfo, RuleEdit, ToolRules } from '../protocol/control.ts';
import type { AuditNotes } from './auditNotes.ts';

export type RuledTunnel = {
  readonly id: string;
  readonly server: { id: string };
  tools(): Promise<ServerTools>;
  annotations(tool: string): { readOnlyHint?: boolean } | undefined;
};

export type RulesOptions = {
  policy: PolicyStore;
  grants: { list(): GrantInfo[] };
  notes: Pick<AuditNotes, 'ruleEdited'>;
  clock: Clock;
  tunnels: () => Iterable<RuledTunnel>;
};

export class Rules {
  readonly #options: RulesOptions;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  /** Throws `NOT_FOUND` for a tunnel that is not there, `UPSTREAM_*` when its server cannot be asked. */
  async tools(tunnelId: string): Promise<ToolRules> {
    const { policy, grants, clock, tunnels } = this.#options;
    const all = [...tunnels()];
    const tunnel = all.find(({ id }) => id === tunnelId);
    if (!tunnel) throw new TunnelError('NOT_FOUND', `there is no tunnel ${tunnelId}`);
    const { tools, hasPrompts } = await tunnel.tools();
    const nowMs = clock.now();
    const live = grants.list().filter((grant) => isLive(grant, nowMs) && reaches(grant, tunnel.server.id));
    const annotations = (name: string): ReturnType<RuledTunnel['annotations']> => tunnel.annotations(name);
    const names = new Set(tools.map(({ name }) => name));
    // One file has the rules for all servers, so another one's tool is no slip of the pen.
    const hasTool = (name: string): boolean => names.has(name) || all.some((other) => other.annotations(name));
    return {
      tools: [...names].map((name) => ({
        name,
        readOnly: annotations(name)?.readOnlyHint === true,
        verdicts: live.map((grant) => toolVerdict(policy.current, grant, name, annotations)),
      })),
      agents: live.map((grant) => ({ grant: grant.id, name: grant.name, readOnly: isReadOnly(policy.current, grant) })),
      unknownNames: unknownNames(policy.current, live, { hasTool, hasPrompts }),
    };
  }

  /** Returns the file that was written. Throws as {@link PolicyStore.editRule}. */
  async edit(edit: RuleEdit): Promise<string> {
    const { policy, notes, tunnels } = this.#options;
    const all = [...tunnels()];
    // A tool that no server has listed may be one that only reads: then read-only is no reason against it.
    const said = (tool: string) => all.map((tunnel) => tunnel.annotations(tool)).find((hints) => hints !== undefined);
    const file = await policy.editRule(edit, (tool) => said(tool) ?? { readOnlyHint: true });
    await notes.ruleEdited(edit, file);
    return file;
  }
}

function isLive({ revokedMs, expiresMs }: GrantInfo, nowMs: number): boolean {
  return revokedMs === undefined && expiresMs > nowMs;
}

function reaches({ scope }: GrantInfo, server: string): boolean {
  return scope.servers.includes(anyServer) || scope.servers.includes(server);
}
