// One row of a tree as data: what it says and what it stands for. The trees are built of these without VS Code,
// and `treeView.ts` shows them.
import type { DiscoveredServer } from '../core/server.ts';
import type { PreviewItem } from '../mcp/preview/preview.ts';
import type { HeldCall } from '../mcp/heldCall.ts';
import type { GrantInfo, TunnelInfo } from '../protocol/control.ts';

export type TreeSubject =
  | { kind: 'server'; server: DiscoveredServer }
  | { kind: 'tunnel'; tunnel: TunnelInfo }
  | { kind: 'grant'; grant: GrantInfo }
  | { kind: 'held'; tunnel: TunnelInfo; call: HeldCall }
  /** A tool of a tunnel's server, or what one agent may do with it. */
  | { kind: 'tool'; tunnel: TunnelInfo; tool: string; agent?: { grant: string; name: string } }
  /** A tool, prompt or resource of a server that was looked at. */
  | { kind: 'offered'; server: DiscoveredServer; item: PreviewItem };

export type TreeIcon = { name: string; color?: string };

export type TreeClick =
  | { kind: 'open'; file: string; line?: number; column?: number }
  | { kind: 'command'; command: string };

export type TreeNode = {
  /** Stable, so that a row stays folded or selected when the tree is built anew. */
  id: string;
  label: string;
  description?: string;
  /** Plain text: it holds what strangers wrote. */
  tooltip?: string;
  icon?: TreeIcon;
  /** What menus of package.json look at: `server`, `server.problem`, `tunnel`, … */
  context?: string;
  click?: TreeClick;
  /** For commands on the row. */
  subject?: TreeSubject;
  children: TreeNode[];
  /** Folded until a person opens it. */
  folded?: true;
  /** Its rows are asked for when it is opened for the first time; `children` is empty until then. */
  pending?: true;
};
