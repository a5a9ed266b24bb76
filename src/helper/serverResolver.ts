// From what a driver names to what will run: finds the server again in its file, so that nothing stale is started,
// and demands that a person agreed to exactly this command.
import { createHash } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { discover } from '../discovery/discover.ts';
import { launchPlan } from '../discovery/launchPlan.ts';
import type { DiscoveredServer, LaunchPlan, OpenTunnel, ServerList, ServerTransport } from '../protocol/control.ts';
import type { Consents } from './consents.ts';

export type ResolvedServer = { id: string; name: string; transport: ServerTransport; discovered: boolean };

export type ServerResolverOptions = { env: NodeJS.ProcessEnv; consents: Consents; trusted: boolean };

export class ServerResolver {
  readonly #options: ServerResolverOptions;
  trusted: boolean;

  constructor(options: ServerResolverOptions) {
    this.#options = options;
    this.trusted = options.trusted;
  }

  list(folders: string[]): Promise<ServerList> {
    return discover(folders, this.#options.env);
  }

  /** Throws `NOT_FOUND`, or `CONFIG_INVALID` for a server that cannot run as it is declared. */
  async resolve(server: OpenTunnel['server']): Promise<ResolvedServer> {
    if ('inline' in server) {
      const { name, transport } = server.inline;
      const digest = createHash('sha256').update(JSON.stringify(transport)).digest('hex').slice(0, 16);
      return { id: `inline:${digest}`, name, transport, discovered: false };
    }
    const found = await this.#find(server.id, server.folders);
    if (found.problem) throw new TunnelError('CONFIG_INVALID', `“${found.name}” cannot be exposed: ${found.problem}`);
    return { id: found.id, name: found.name, transport: found.transport, discovered: true };
  }

  async plan(id: string, folders: string[]): Promise<{ plan: LaunchPlan; agreed: boolean; previous?: LaunchPlan }> {
    const server = await this.#find(id, folders);
    const plan = await this.#planOf(server);
    const previous = await this.#options.consents.find(id);
    if (previous?.hash === plan.hash) return { plan, agreed: true };
    return { plan, agreed: false, ...(previous ? { previous } : {}) };
  }

  /**
   * `consent` is the hash of the plan that a person was shown just now. Returns the plan when this is news.
   * Throws `CONSENT_REQUIRED` with the plan, and with the one agreed to before, or `UNTRUSTED_WORKSPACE`.
   */
  async requireConsent(server: ResolvedServer, consent: string | undefined): Promise<LaunchPlan | undefined> {
    if (!server.discovered) return undefined; // Given whole by the person who wants it run.
    if (!this.trusted) {
      throw new TunnelError('UNTRUSTED_WORKSPACE', `“${server.name}” is not run: this workspace is not trusted`);
    }
    const plan = await this.#planOf(server);
    const previous = await this.#options.consents.find(server.id);
    if (previous?.hash === plan.hash) return undefined;
    if (consent !== plan.hash) {
      const what = previous ? 'has changed since it was agreed to' : 'has not been agreed to yet';
      throw new TunnelError('CONSENT_REQUIRED', `what “${server.name}” runs ${what}`, {
        data: { plan, ...(previous ? { previous } : {}) },
      });
    }
    await this.#options.consents.give(server.id, plan);
    return plan;
  }

  #planOf(server: { name: string; transport: ServerTransport }): Promise<LaunchPlan> {
    return launchPlan(server.name, server.transport, this.#options.env);
  }

  async #find(id: string, folders: string[]): Promise<DiscoveredServer> {
    const { servers } = await this.list(folders);
    const found = servers.find((server) => server.id === id);
    if (!found)
      throw new TunnelError('NOT_FOUND', 'this server is no longer in the workspace’s files; refresh the list');
    return found;
  }
}
