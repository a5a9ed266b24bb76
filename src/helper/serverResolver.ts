// From what a driver names to what will run: finds the server again in its file, so that nothing stale is started,
// and demands that a person agreed to exactly this command.
import { createHash } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { discover } from '../discovery/discover.ts';
import { runningServers } from '../discovery/listeners/runningServers.ts';
import { launchPlan } from '../discovery/launchPlan.ts';
import type { DiscoveredServer, LaunchPlan, ServerList, ServerTransport } from '../core/server.ts';
import type { OpenTunnel } from '../protocol/control.ts';
import type { Consents } from './consents.ts';

export type ResolvedServer = {
  id: string;
  name: string;
  transport: ServerTransport;
  /** Folders of the workspace that it was found in; absent for one that was given whole. */
  folders?: readonly string[];
};

/** What may run now. `agreedNow` is the plan that a person has agreed to just now. */
export type Agreed = { transport: ServerTransport; agreedNow?: LaunchPlan };

export type ServerResolverOptions = { env: NodeJS.ProcessEnv; consents: Consents; trusted: boolean };

export class ServerResolver {
  readonly #options: ServerResolverOptions;
  #running: DiscoveredServer[] = [];
  trusted: boolean;

  constructor(options: ServerResolverOptions) {
    this.#options = options;
    this.trusted = options.trusted;
  }

  async list(folders: string[]): Promise<ServerList> {
    const { servers, problems } = await discover(folders, this.#options.env);
    return { servers: [...servers, ...this.#running], problems };
  }

  /** Asks what listens on this machine; found servers stay in the list until the next look. Throws `UNTRUSTED_WORKSPACE`. */
  async scan(folders: string[], ports: number[], signal: AbortSignal): Promise<ServerList> {
    if (!this.trusted) throw new TunnelError('UNTRUSTED_WORKSPACE', 'nothing is asked: this workspace is not trusted');
    this.#running = await runningServers({ folders, ports }, signal);
    return this.list(folders);
  }

  /** Throws `NOT_FOUND`, or `CONFIG_INVALID` for a server that cannot run as it is declared. */
  async resolve(server: OpenTunnel['server']): Promise<ResolvedServer> {
    if ('inline' in server) {
      const { name, transport } = server.inline;
      const digest = createHash('sha256').update(JSON.stringify(transport)).digest('hex').slice(0, 16);
      return { id: `inline:${digest}`, name, transport };
    }
    const found = await this.#find(server.id, server.folders);
    if (found.problem) throw new TunnelError('CONFIG_INVALID', `“${found.name}” cannot be exposed: ${found.problem}`);
    return { id: found.id, name: found.name, transport: found.transport, folders: server.folders };
  }

  async plan(id: string, folders: string[]): Promise<{ plan: LaunchPlan; agreed: boolean; previous?: LaunchPlan }> {
    const server = await this.#find(id, folders);
    const plan = await this.#planOf({ ...server, folders });
    const previous = await this.#options.consents.find(id);
    if (previous?.hash === plan.hash) return { plan, agreed: true };
    return { plan, agreed: false, ...(previous ? { previous } : {}) };
  }

  /**
   * `consent` is the hash of the plan that a person was shown just now. What runs is what the plan says: the executable
   * that was found then, not another one that the same name finds later.
   * Throws `CONSENT_REQUIRED` with the plan, and with the one agreed to before, or `UNTRUSTED_WORKSPACE`.
   */
  async requireConsent(server: ResolvedServer, consent: string | undefined): Promise<Agreed> {
    if (!server.folders) return { transport: server.transport }; // Given whole by the person who wants it run.
    if (!this.trusted) {
      throw new TunnelError('UNTRUSTED_WORKSPACE', `“${server.name}” is not run: this workspace is not trusted`);
    }
    const plan = await this.#planOf(server);
    const transport = asPlanned(server.transport, plan);
    const previous = await this.#options.consents.find(server.id);
    if (previous?.hash === plan.hash) return { transport };
    if (consent !== plan.hash) {
      const what = previous ? 'has changed since it was agreed to' : 'has not been agreed to yet';
      throw new TunnelError('CONSENT_REQUIRED', `what “${server.name}” runs ${what}`, {
        data: { plan, ...(previous ? { previous } : {}) },
      });
    }
    await this.#options.consents.give(server.id, plan);
    return { transport, agreedNow: plan };
  }

  #planOf({
    name,
    transport,
    folders = [],
  }: Pick<ResolvedServer, 'name' | 'transport' | 'folders'>): Promise<LaunchPlan> {
    return launchPlan(name, transport, this.#options.env, folders);
  }

  async #find(id: string, folders: string[]): Promise<DiscoveredServer> {
    const { servers } = await this.list(folders);
    const found = servers.find((server) => server.id === id);
    if (!found)
      throw new TunnelError('NOT_FOUND', 'this server is no longer in the workspace’s files; refresh the list');
    return found;
  }
}

function asPlanned(transport: ServerTransport, { command }: LaunchPlan): ServerTransport {
  return transport.kind === 'stdio' && command !== undefined ? { ...transport, command } : transport;
}
