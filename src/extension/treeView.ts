// Shows rows (TreeNode) as a tree of VS Code, built anew when it is told that something changed.
import {
  EventEmitter,
  ThemeColor,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
  Uri,
  type TreeDataProvider,
} from 'vscode';
import type { TreeClick, TreeNode } from './treeNode.ts';
import { selectionAt } from './notify.ts';
import { plainRow } from './plainRow.ts';

export class NodeTree implements TreeDataProvider<TreeNode> {
  readonly #changed = new EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #build: () => TreeNode[];
  readonly #load: (node: TreeNode) => Promise<TreeNode[]>;

  /** `load` gives the rows below a node that is `pending`; VS Code shows progress until then. It does not fail. */
  constructor(build: () => TreeNode[], load: (node: TreeNode) => Promise<TreeNode[]> = async () => []) {
    this.#build = build;
    this.#load = load;
  }

  refresh(): void {
    this.#changed.fire(undefined);
  }

  getChildren(node?: TreeNode): TreeNode[] | Promise<TreeNode[]> {
    if (!node) return this.#build();
    return node.pending ? this.#load(node) : node.children;
  }

  getTreeItem(row: TreeNode): TreeItem {
    const node = plainRow(row);
    const item = new TreeItem(node.label, foldOf(node));
    item.id = node.id;
    if (node.description !== undefined) item.description = node.description;
    if (node.tooltip !== undefined) item.tooltip = node.tooltip;
    // Without it the tooltip would be read out, which repeats and goes on for lines.
    item.accessibilityInformation = { label: [node.label, node.description].filter(Boolean).join(', ') };
    if (node.context !== undefined) item.contextValue = node.context;
    if (node.icon) item.iconPath = themeIcon(node.icon);
    if (node.click) item.command = commandOf(node.click, row);
    return item;
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function foldOf({ children, folded, pending }: TreeNode): TreeItemCollapsibleState {
  if (children.length === 0 && !pending) return TreeItemCollapsibleState.None;
  return folded || pending ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.Expanded;
}

function themeIcon({ name, color }: NonNullable<TreeNode['icon']>): ThemeIcon {
  return color ? new ThemeIcon(name, new ThemeColor(color)) : new ThemeIcon(name);
}

function commandOf(click: TreeClick, node: TreeNode): NonNullable<TreeItem['command']> {
  if (click.kind === 'command') return { command: click.command, title: node.label, arguments: [node] };
  const options = selectionAt(click.line, click.column);
  return { command: 'vscode.open', title: node.label, arguments: [Uri.file(click.file), options] };
}
