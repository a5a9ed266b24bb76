// Where the extension is put together. `activate` creates, connects and registers; the helper starts with the first
// thing that needs it, and ends with the window.
import { env, window, workspace, type ExtensionContext } from 'vscode';
import { systemClock } from '../core/clock.ts';
import { fromErrorInfo, TunnelError } from '../core/errors.ts';
import type { App } from './app.ts';
import { AuditHeads } from './auditHeads.ts';
import { ChatServers } from './chatServers.ts';
import { registerExposeLinks } from './exposeLink.ts';
import { registerExposeTool } from './exposeTool.ts';
import { HoldNotices } from './holdNotices.ts';
import { Inputs } from './inputs.ts';
import { registerCommands } from './commands.ts';
import { registerPlanDocuments } from './consent.ts';
import { HelperLink, type HelperChild, type Runtime } from './helperLink.ts';
import { editorProxy } from './editorProxy.ts';
import { startHelperProcess } from './helperProcess.ts';
import { InspectorPanel } from './inspectorPanel.ts';
import { nodeOnPath } from './nodeOnPath.ts';
import { showFailure } from './notify.ts';
import { PreviewRefresh } from './previewRefresh.ts';
import { RememberedTunnels } from './rememberedTunnels.ts';
import { reopenTunnels } from './reopen.ts';
import { runOf } from './serverRun.ts';
import { ServerRefresh } from './serverRefresh.ts';
import { Store } from './store.ts';
import { watchProjects } from './watchProjects.ts';
import { Tokens } from './tokens.ts';
import { ToolRefresh } from './toolRefresh.ts';
import { tellSetback } from './verifyAudit.ts';
import { showViews } from './views.ts';
import { t } from './vscodeTranslate.ts';

/** What has to be done before the window closes. */
let closeWindow: (() => Promise<void>) | undefined;

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('MCP Tunnel', { log: true });
  const clock = systemClock;
  const store = new Store();
  const { extensionUri, globalState, secrets, workspaceState } = context;
  const trusted = (): boolean => workspace.isTrusted;
  const folders = (): string[] =>
    (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file').map(({ uri }) => uri.fsPath);

  const script = context.asAbsolutePath('dist/helper.js');
  const spawn = (kind: Runtime): HelperChild => {
    const runtime = kind === 'editor' ? process.execPath : nodeOnPath(process.env, folders());
    if (runtime) return startHelperProcess({ runtime, script, env: process.env, onLog: (line) => log.info(line) });
    throw new TunnelError(
      'INTERNAL',
      'this editor’s runtime cannot run the helper; install Node.js 20.19 or newer on PATH',
    );
  };
  const helper = new HelperLink({
    spawn,
    window: () => ({ trusted: trusted(), folders: folders(), proxy: editorProxy() }),
    clock,
    log: (level, message) => log[level](message),
  });

  const servers = new ServerRefresh({ helper, folders, log: (message) => log.warn(message) });
  const tools = new ToolRefresh({ helper, store });
  const previews = new PreviewRefresh({ helper, folders });
  const tokens = new Tokens(secrets, globalState);
  const warn = (message: string): void => log.warn(message);
  const auditHeads = new AuditHeads({ secrets, clock, onSetback: (setback) => tellSetback(app, setback), log: warn });
  const remembered = new RememberedTunnels(workspaceState);
  const copy = env.clipboard.writeText.bind(env.clipboard);
  const inspector = new InspectorPanel({
    helper,
    store,
    extensionUri,
    copy,
    now: () => clock.now(),
    t,
    log: (line) => log.warn(line),
  });
  const inputs = new Inputs({ secrets, index: globalState, helper });
  const bridge = context.asAbsolutePath('dist/tunnelBridge.js');
  const chatServers = new ChatServers({ app: () => app, memory: workspaceState, bridge });
  const data = { store, servers, tools, previews, tokens, inputs, chatServers, auditHeads, remembered };
  const app: App = { helper, ...data, inspector, log, clock, folders, extensionUri };
  const holdNotices = new HoldNotices(() => app);
  closeWindow = async () => {
    await Promise.all([helper.close(), auditHeads.save()]);
  };

  helper.onEvent((event) => {
    store.accept(event);
    if (event.kind === 'tunnels') chatServers.refresh();
    if (event.kind === 'holds') holdNotices.accept(event.holds.held);
    if (event.kind === 'helper' && event.state.kind === 'failed') showFailure(app, fromErrorInfo(event.state.error));
  });
  helper.onAuditHead((head) => void auditHeads.accept(head));
  helper.onServersChanged(() => void servers.refresh());
  helper.onStarted(() => void settle().catch((error: unknown) => log.warn(String(error))));
  async function settle(): Promise<void> {
    auditHeads.begin();
    await helper.request('holds/answering', {});
    const { grants } = await helper.request('grants/list', {});
    helper.report({ kind: 'grants', grants });
    await tokens.prune(grants, clock.now());
    await inputs.tellAll();
    await servers.refresh();
    const failed = (tunnel: { server: { name: string } }, error: unknown): void =>
      showFailure(app, error, t('{0} could not be opened again', tunnel.server.name));
    const run = (id: string): ReturnType<typeof runOf> =>
      runOf(store.servers?.servers.find((server) => server.id === id)?.transport.kind);
    await reopenTunnels({ helper, remembered, folders, trusted, run, failed });
  }

  context.subscriptions.push(
    log,
    registerPlanDocuments(),
    inspector.register(),
    ...registerCommands(app),
    chatServers.register(),
    registerExposeTool(app),
    registerExposeLinks(app),
    ...showViews(app, { trusted }),
    ...watchProjects(() => helper.running && void servers.refresh()),
    workspace.onDidChangeWorkspaceFolders(() => helper.running && void servers.refresh()),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('http')) helper.notifyProxy(editorProxy());
    }),
    workspace.onDidGrantWorkspaceTrust(() => {
      helper.notifyTrust(true);
      if (helper.running) void servers.refresh();
    }),
  );
  // A reload must not end what is exposed, whether or not the view is open.
  if (trusted() && remembered.all.length > 0) void servers.refresh();
}

export async function deactivate(): Promise<void> {
  await closeWindow?.();
}
