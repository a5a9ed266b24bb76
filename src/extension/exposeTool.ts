// The language-model tool "expose an MCP server", for the agent in VS Code's chat. It may ask; whether, where to and with
// which access is a person's to say, in the same dialogs as ever. The agent hears where the server is, never a token.
import {
  LanguageModelTextPart,
  LanguageModelToolResult,
  lm,
  workspace,
  type CancellationToken,
  type Disposable,
  type LanguageModelTool,
  type LanguageModelToolInvocationOptions,
  type LanguageModelToolInvocationPrepareOptions,
  type PreparedToolInvocation,
} from 'vscode';
import { errorInfo } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import type { App } from './app.ts';
import { exposeServer } from './expose.ts';
import { withoutLinks } from './messages.ts';
import { serverCalled } from './requests.ts';
import { t } from './vscodeTranslate.ts';

/** As package.json names it. */
const toolName = 'mcp_tunnel_expose_server';

type Input = { server?: unknown };

export function registerExposeTool(app: App): Disposable {
  return lm.registerTool(toolName, new ExposeTool(app));
}

class ExposeTool implements LanguageModelTool<Input> {
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** Changes nothing; the question that it returns is shown by VS Code. */
  prepareInvocation({ input }: LanguageModelToolInvocationPrepareOptions<Input>): PreparedToolInvocation {
    const name = shown(input.server);
    return {
      invocationMessage: t('Asking to expose {0}', name),
      confirmationMessages: {
        title: t('Expose an MCP server?'),
        message: t('The agent in this chat asks to expose “{0}”. You will be asked where to, and what may run.', name),
      },
    };
  }

  async invoke(
    { input }: LanguageModelToolInvocationOptions<Input>,
    cancel: CancellationToken,
  ): Promise<LanguageModelToolResult> {
    const text = await this.#expose(input.server, cancel).catch((error: unknown) => errorInfo(error).message);
    return new LanguageModelToolResult([new LanguageModelTextPart(text)]);
  }

  async #expose(name: unknown, cancel: CancellationToken): Promise<string> {
    if (!workspace.isTrusted) return 'Refused: the workspace is in Restricted Mode; nothing of it is run or exposed.';
    await this.#app.servers.refresh();
    const servers = this.#app.store.servers?.servers ?? [];
    const named = serverCalled(name, servers);
    if (named.kind !== 'found') {
      const names = servers.map((server) => JSON.stringify(server.name)).join(', ');
      const what =
        named.kind === 'none' ? 'No server of this workspace has that name' : 'Several servers have that name';
      return `${what}. There are: ${names || 'none'}. Only the user can add one.`;
    }
    if (cancel.isCancellationRequested) return 'Cancelled.';
    const tunnel = await exposeServer(this.#app, { server: named.server.id });
    if (!tunnel) return 'The user did not expose it.';
    const { hostname, url } = tunnel;
    return `It is exposed as ${hostname} (${url}). Access needs a token, which only the user has and can hand out.`;
  }
}

function shown(name: unknown): string {
  return withoutLinks(printable(typeof name === 'string' ? name : '?', 100)).replace(/[`*_[\]<>]/g, '');
}
