// Tunnels offered back to VS Code as MCP servers, so that a developer tries from the chat what a remote agent will get:
// the same way in, the same rules, with a grant of its own that the tree and the inspector show by name.
import { EventEmitter, lm, McpStdioServerDefinition, type Disposable, type McpServerDefinitionProvider } from 'vscode';
import type { TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { expiryHours } from './grants.ts';
import { isLive } from './grantWords.ts';
import type { Memory } from './rememberedTunnels.ts';
import { t } from './vscodeTranslate.ts';

/** As package.json names it. */
const providerId = 'mcpTunnel.tunnels';
const memoryKey = 'mcpTunnel.offeredToChat';

/** One server, and the grant that the chat has for it. */
type Offered = { server: string; grant: string };

export class ChatServers implements McpServerDefinitionProvider<McpStdioServerDefinition> {
  readonly #app: () => App;
  readonly #memory: Memory;
  readonly #bridge: string;
  readonly #changed = new EventEmitter<void>();
  #shown = '';

  readonly onDidChangeMcpServerDefinitions = this.#changed.event;

  /** `bridge`: the script that speaks to the tunnel; VS Code starts it with its own Node. */
  constructor({ app, memory, bridge }: { app: () => App; memory: Memory; bridge: string }) {
    this.#app = app;
    this.#memory = memory;
    this.#bridge = bridge;
  }

  register(): Disposable {
    return lm.registerMcpServerDefinitionProvider(providerId, this);
  }

  isOffered(server: string): boolean {
    return this.#offered.some((offered) => offered.server === server);
  }

  async offer({ server }: TunnelInfo): Promise<void> {
    if (this.isOffered(server.id)) return;
    const grant = await this.#mint(server);
    await this.#memory.update(memoryKey, [...this.#offered, { server: server.id, grant }]);
    this.#changed.fire();
  }

  /** Its grant ends with it. */
  async withdraw({ server }: TunnelInfo): Promise<void> {
    const { helper, tokens } = this.#app();
    const gone = this.#offered.filter((offered) => offered.server === server.id);
    await this.#memory.update(
      memoryKey,
      this.#offered.filter((offered) => offered.server !== server.id),
    );
    this.#changed.fire();
    for (const { grant } of gone) {
      await helper.request('grants/revoke', { id: grant });
      await tokens.forget(grant);
    }
  }

  /** Called when the tunnels changed: what is offered is what is up. */
  refresh(): void {
    const shown = JSON.stringify(this.#open().map(({ id, url }) => [id, url]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#changed.fire();
  }

  provideMcpServerDefinitions(): McpStdioServerDefinition[] {
    return this.#open().map((tunnel) => {
      const env = {
        ELECTRON_RUN_AS_NODE: '1',
        MCP_TUNNEL_BRIDGE_URL: bridgeUrl(tunnel),
        ...(tunnel.caFile === undefined ? {} : { MCP_TUNNEL_BRIDGE_CA: tunnel.caFile }),
      };
      const label = t('{0} through its tunnel', tunnel.server.name);
      return new McpStdioServerDefinition(label, process.execPath, [this.#bridge], env, tunnel.id);
    });
  }

  /** The token is added when the server is started, not before. */
  async resolveMcpServerDefinition(definition: McpStdioServerDefinition): Promise<McpStdioServerDefinition> {
    const tunnel = this.#open().find((open) => bridgeUrl(open) === definition.env['MCP_TUNNEL_BRIDGE_URL']);
    if (!tunnel) throw new Error(t('This tunnel is no longer open.'));
    definition.env = { ...definition.env, MCP_TUNNEL_BRIDGE_TOKEN: await this.#token(tunnel) };
    return definition;
  }

  async #token({ server }: TunnelInfo): Promise<string> {
    const { tokens, helper, clock } = this.#app();
    const grant = this.#offered.find((offered) => offered.server === server.id)?.grant;
    const { grants } = await helper.request('grants/list', {});
    const isUsable = grants.some((known) => known.id === grant && isLive(known, clock.now()));
    const token = isUsable && grant !== undefined ? await tokens.of(grant) : undefined;
    if (token !== undefined) return token;
    const fresh = await this.#mint(server);
    const others = this.#offered.filter((offered) => offered.server !== server.id);
    await this.#memory.update(memoryKey, [...others, { server: server.id, grant: fresh }]);
    return (await tokens.of(fresh)) ?? '';
  }

  async #mint(server: { id: string; name: string }): Promise<string> {
    const { helper, tokens, clock } = this.#app();
    const name = t('{0} in VS Code’s chat', server.name);
    const expiresMs = clock.now() + expiryHours() * 3_600_000;
    const { grant, token } = await helper.request('grants/add', { name, servers: [server.id], scope: {}, expiresMs });
    await tokens.setAside(grant, token);
    return grant.id;
  }

  #open(): TunnelInfo[] {
    return this.#app().store.tunnels.filter(({ server, state, url }) => {
      return url !== undefined && state.kind === 'connected' && this.isOffered(server.id);
    });
  }

  get #offered(): Offered[] {
    return (this.#memory.get(memoryKey) as Offered[] | undefined) ?? [];
  }
}

/** Which tunnel a definition is of: two tunnels of one server have two. */
const bridgeUrl = ({ loopbackUrl, url }: TunnelInfo): string => loopbackUrl ?? url ?? '';
