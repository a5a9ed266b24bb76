// The command "Expose MCP Server": which server, to whom, may it run, then open and say where it is.
import { commands, ProgressLocation, QuickPickItemKind, window, workspace, type QuickPickItem } from 'vscode';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { DiscoveredServer, LaunchPlan } from '../core/server.ts';
import type { Destination, OpenedTunnel, TunnelInfo } from '../protocol/control.ts';
import { certificateFor } from './certificateSetting.ts';
import { copyClientConfig, copyUrl } from './clientConfig.ts';
import { addServer } from './addServer.ts';
import type { App } from './app.ts';
import { withInputs } from './askInputs.ts';
import { agreeToRun, askToRun } from './consent.ts';
import { pickDestination } from './destinations.ts';
import { grantFor } from './grants.ts';
import { commandLine } from './launchText.ts';
import { showError, showInfo, showWarning, withProgress } from './messages.ts';
import { openFileAt, whenPressed } from './notify.ts';
import { plainItem } from './plainRow.ts';
import { shortPath } from './serverTree.ts';
import { runOf } from './serverRun.ts';
import { serverOf } from './targets.ts';
import { openInspector } from './tunnelCommands.ts';
import { t } from './vscodeTranslate.ts';

/** The tunnel; `undefined` when it could not be opened, and that was said, or when the person left. */
export async function exposeServer(app: App, target?: unknown): Promise<TunnelInfo | undefined> {
  if (!workspace.isTrusted) return explainTrust();
  const chosen = serverOf(app, target) ?? (await pickServer(app));
  const server = chosen && (await withInputs(app, chosen));
  if (!server) return undefined;
  if (server.problem) return explainProblem(server, server.problem);
  const destination = await pickDestination(app, server.name);
  if (!destination) return undefined;
  const consent = await agreeToRun(app, server);
  if (!consent) return undefined;
  const opened = await openAsking(app, server, destination, consent === 'agreed' ? undefined : consent.hash);
  if (opened) announce(app, opened);
  return opened?.tunnel;
}

function explainTrust(): undefined {
  const manage = t('Manage Workspace Trust');
  const text = t(
    'This window is in Restricted Mode: nothing that the workspace defines is run. Trust it to expose its servers.',
  );
  void showWarning(text, manage).then((picked) => picked && commands.executeCommand('workbench.trust.manage'));
}

type ServerItem = QuickPickItem & { server?: DiscoveredServer };

async function pickServer(app: App): Promise<DiscoveredServer | undefined> {
  const folders = app.folders();
  if (folders.length === 0) {
    explainNoFolder();
    return undefined;
  }
  await app.servers.refresh();
  const servers = app.store.servers?.servers ?? [];
  if (servers.length === 0) {
    explainNoServers(app);
    return undefined;
  }
  const files = [...new Set(servers.map(({ source }) => source.file ?? ''))];
  const items = files.flatMap((file): ServerItem[] => [
    { label: shortPath(file, folders), kind: QuickPickItemKind.Separator },
    ...servers.filter(({ source }) => (source.file ?? '') === file).map(serverItem),
  ]);
  const placeHolder = t('Which MCP server shall agents reach?');
  // A tree that is built anew or a page that loads may take the focus; the question stays.
  const options = { title: t('Expose MCP Server'), placeHolder, matchOnDescription: true, ignoreFocusOut: true };
  return (await window.showQuickPick(items, options))?.server;
}

function serverItem(server: DiscoveredServer): ServerItem {
  const runs = server.transport.kind === 'http' ? server.transport.url : commandLine(server.transport);
  if (server.problem) return plainItem({ label: server.name, description: server.problem, server }, 'error');
  const icon = server.transport.kind === 'http' ? 'globe' : 'terminal';
  return plainItem({ label: server.name, description: runs, server }, icon);
}

function explainNoFolder(): void {
  const open = t('Open Folder');
  const text = t('MCP servers are found in the files of a folder, such as .vscode/mcp.json. Open one first.');
  void showInfo(text, open).then((picked) => picked && commands.executeCommand('vscode.openFolder'));
}

function explainNoServers(app: App): void {
  const add = t('Add MCP Server');
  const text = t('No MCP server was found in .vscode/mcp.json, .mcp.json or .cursor/mcp.json.');
  whenPressed(showInfo(text, add), () => addServer(app));
}

function explainProblem(server: DiscoveredServer, problem: string): undefined {
  const open = t('Open File');
  const { file, line } = server.source;
  const text = t('{0} cannot be exposed as it is: {1}', server.name, problem);
  if (file) whenPressed(showError(text, open), () => openFileAt(file, line));
  else void showError(text);
}

/** What will run may change between the agreement and the start: then it is asked about once more. */
async function openAsking(
  app: App,
  server: DiscoveredServer,
  destination: Destination,
  agreedHash: string | undefined,
): Promise<OpenedTunnel | undefined> {
  try {
    return await open(app, server, destination, agreedHash);
  } catch (error) {
    const { plan, previous } = changedPlan(error);
    if (!plan) throw error;
    if (!(await askToRun({ plan, ...(previous ? { previous } : {}) }))) return undefined;
    return open(app, server, destination, plan.hash);
  }
}

function changedPlan(error: unknown): { plan?: LaunchPlan; previous?: LaunchPlan } {
  const info = errorInfo(error);
  return info.code === 'CONSENT_REQUIRED' ? (info.data ?? {}) : {};
}

function open(
  app: App,
  server: DiscoveredServer,
  destination: Destination,
  consent: string | undefined,
): Promise<OpenedTunnel> {
  const options = { location: ProgressLocation.Notification, cancellable: true, title: t('Exposing {0}', server.name) };
  return Promise.resolve(
    withProgress(options, async (report, cancel) => {
      const aborter = new AbortController();
      cancel.onCancellationRequested(() => aborter.abort());
      const stop = app.store.onChange(() => report(stepOf(app, server)));
      try {
        return await openTunnel(app, server, destination, consent, aborter.signal);
      } finally {
        stop();
      }
    }),
  );
}

function stepOf(app: App, server: DiscoveredServer): string | undefined {
  const state = app.store.tunnels.findLast((tunnel) => tunnel.server.id === server.id)?.state;
  return state?.kind === 'starting' ? state.step : undefined;
}

async function openTunnel(
  app: App,
  server: DiscoveredServer,
  destination: Destination,
  consent: string | undefined,
  signal: AbortSignal,
): Promise<OpenedTunnel> {
  const request = {
    server: { id: server.id, folders: app.folders() },
    destination,
    grant: await grantFor(app, server),
    ...(consent ? { consent } : {}),
    ...runOf(server.transport.kind),
    ...certificateFor(destination),
  };
  const opened = await app.helper.request('tunnel/open', request, signal);
  if (opened.grant && opened.token) await app.tokens.keep(opened.grant, opened.token);
  await app.remembered.add(opened.tunnel);
  if (!opened.tunnel.hostname) throw new TunnelError('INTERNAL', 'the tunnel is open but has no hostname');
  return opened;
}

function announce(app: App, { tunnel }: OpenedTunnel): void {
  const [copy, config, inspect] = [t('Copy URL'), t('Copy Client Config…'), t('Open Inspector')];
  const target = { tunnel: tunnel.id };
  const text =
    tunnel.destination.carrier === 'embedded'
      ? t('{0} is open to agents on this machine at {1}', tunnel.server.name, tunnel.hostname ?? '')
      : t('{0} is open to agents that hold its token at {1}', tunnel.server.name, tunnel.hostname ?? '');
  whenPressed(showInfo(text, copy, config, inspect), async (picked) => {
    if (picked === copy) await copyUrl(app, target);
    if (picked === config) await copyClientConfig(app, target);
    if (picked === inspect) await openInspector(app, target);
  });
}
