// What the commands work with; made once in `extension.ts`.
import type { LogOutputChannel, Uri } from 'vscode';
import type { Clock } from '../core/clock.ts';
import type { ChatServers } from './chatServers.ts';
import type { Inputs } from './inputs.ts';
import type { AuditHeads } from './auditHeads.ts';
import type { HelperLink } from './helperLink.ts';
import type { InspectorPanel } from './inspectorPanel.ts';
import type { PreviewRefresh } from './previewRefresh.ts';
import type { RememberedTunnels } from './rememberedTunnels.ts';
import type { ServerRefresh } from './serverRefresh.ts';
import type { Store } from './store.ts';
import type { Tokens } from './tokens.ts';
import type { ToolRefresh } from './toolRefresh.ts';

export type App = {
  helper: HelperLink;
  store: Store;
  servers: ServerRefresh;
  tools: ToolRefresh;
  previews: PreviewRefresh;
  tokens: Tokens;
  inputs: Inputs;
  chatServers: ChatServers;
  auditHeads: AuditHeads;
  remembered: RememberedTunnels;
  inspector: InspectorPanel;
  log: LogOutputChannel;
  clock: Clock;
  /** Absolute paths of the workspace's folders. */
  folders: () => string[];
  extensionUri: Uri;
};
