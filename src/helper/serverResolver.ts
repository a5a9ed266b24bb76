// From what a driver names to what will run: finds the server again in its file, so that nothing stale is started,
// and demands that a person agreed to exactly this command.
import { createHash } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { discover } from '../discovery/discover.ts';
import { runningServers } from '../discovery/listeners/runningServers.ts';
import { launchPlan } from '../discovery/launchPlan.ts';
import type { DiscoveredServer, LaunchPlan, ServerList, ServerTransport } from '../core/server.ts';
import type { InputAnswer, OpenTunnel } from '../protocol/control.ts';
import type { Consents } from './consents.ts';
import type { EditedCommands } from './editedCommands.ts';
import { hideIn, hider, shownPlan, type Hide } from './hideSecrets.ts';
import { InputAnswers } from './inputAnswers.ts';

export type ResolvedServer = {
  id: string;
  name: string;
  transport: ServerTransport;
  /** Folders of the workspace that it was found in; absent for one that was given whole. */
  folders?: readonly string[];
};

/** What may run now. `hash` is of the plan that was agreed to, `agreedNow` that plan, where a person did so just now. */
export type Agreed = { transport: ServerTransport; hash?: string; agreedNow?: LaunchPlan };

export type ServerResolverOptions = {
  env: NodeJS.ProcessEnv;
  consents: Consents;
  commands: EditedCommands;
  trusted: boolean;
};

export class ServerResolver {
  readonly #options: ServerResolverOptions;
  readonly #answers = new InputAnswers();
  #running: DiscoveredServer[] = [];
  trusted: boolean;

  constructor(options: ServerResolverOptions) {
    this.#options = options;
    this.trusted = options.trusted;
  }

  /** As it is shown: passwords that were asked for are not in it. */
  async list(folders: string[]): Promise<ServerList> {
    const { servers, problems } = await this.#list(folders);
    const hide = this.#hide();
    return { servers: servers.map((server) => shownServer(server, hide)), problems };
  }

  async #list(folders: string[]): Promise<ServerList> {
    const { env, commands } = this.#options;
    const answers = (file: string): ReadonlyMap<string, string> => this.#answers.of(file);
    const { servers, problems } = await discover(folders, env, undefined, undefined, answers);
    return { servers: [...(await commands.applyTo(servers)), ...this.#running], problems };
  }

  /** Answers to the inputs of one file, in place of those before. */
  answer(file: string, answers: InputAnswer[]): void {
    this.#answers.set(file, answers);
  }

  /** Answers that were asked for as passwords. */
  secretAnswers(): string[] {
    return this.#answers.secrets();
  }

  /** Throws `NOT_FOUND`, or `USAGE` for a server whose file says how it is started. */
  async editCommand(id: string, folders: string[], command?: { command: string; args: string[] }): Promise<void> {
    const server = await this.#find(id, folders);
    if (!server.guess)
      throw new TunnelError('USAGE', `the command of “${server.name}” stands in its file: change it there`);
    await this.#options.commands.set(id, command);
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
    if (found.problem) {
      throw new TunnelError('CONFIG_INVALID', `“${found.name}” cannot be exposed: ${this.#hide()(found.problem)}`);
    }
    return { id: found.id, name: found.name, transport: found.transport, folders: server.folders };
  }

  async plan(id: string, folders: string[]): Promise<{ plan: LaunchPlan; agreed: boolean; previous?: LaunchPlan }> {
    const server = await this.#find(id, folders);
    const plan = shownPlan(await this.#planOf({ ...server, folders }), this.#hide());
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
    const shown = shownPlan(plan, this.#hide());
    const previous = await this.#options.consents.find(server.id);
    if (previous?.hash === plan.hash) return { transport, hash: plan.hash };
    if (consent !== plan.hash) {
      const what = previous ? 'has changed since it was agreed to' : 'has not been agreed to yet';
      throw new TunnelError('CONSENT_REQUIRED', `what “${server.name}” runs ${what}`, {
        data: { plan: shown, ...(previous ? { previous } : {}) },
      });
    }
    await this.#options.consents.give(server.id, shown);
    return { transport, hash: plan.hash, agreedNow: shown };
  }

  #hide(): Hide {
    return hider(this.secretAnswers());
  }

  #planOf({
    name,
    transport,
    folders = [],
  }: Pick<ResolvedServer, 'name' | 'transport' | 'folders'>): Promise<LaunchPlan> {
    return launchPlan(name, transport, this.#options.env, folders);
  }

  async #find(id: string, folders: string[]): Promise<DiscoveredServer> {
    const { servers } = await this.#list(folders);
    const found = servers.find((server) => server.id === id);
    if (!found)
      throw new TunnelError('NOT_FOUND', 'this server is no longer in the workspace’s files; refresh the list');
    return found;
  }
}

function shownServer(server: DiscoveredServer, hide: Hide): DiscoveredServer {
  const { transport, problem } = server;
  return {
    ...server,
    transport: hideIn(transport, hide),
    ...(problem === undefined ? {} : { problem: hide(problem) }),
  };
}

function asPlanned(transport: ServerTransport, { command }: LaunchPlan): ServerTransport {
  return transport.kind === 'stdio' && command !== undefined ? { ...transport, command } : transport;
}
