// The only door to what trees and pick lists show: much of it was written by strangers (names of servers, problems of
// files), and no character in it hides text, turns it around, or draws an icon.
import type { QuickPickItem } from 'vscode';
import { visible } from './launchText.ts';
import type { TreeNode } from './treeNode.ts';

/** A row of a tree; only a tooltip has lines. */
export function plainRow(node: TreeNode): TreeNode {
  const { label, description, tooltip } = node;
  return {
    ...node,
    label: visible(label),
    ...(description === undefined ? {} : { description: visible(description) }),
    ...(tooltip === undefined ? {} : { tooltip: tooltip.split(/\r?\n/).map(visible).join('\n') }),
  };
}

/** A text within a row of a pick list, where `$(name)` would draw an icon. */
export function plainWords(text: string): string {
  return visible(text).replaceAll('$(', '\\$(');
}

/** A row of a pick list; `icon` stands before its label. */
export function plainItem<Item extends QuickPickItem>(item: Item, icon?: string): Item {
  const { label, description, detail } = item;
  return {
    ...item,
    label: `${icon === undefined ? '' : `$(${icon}) `}${plainWords(label)}`,
    ...(description === undefined ? {} : { description: plainWords(description) }),
    ...(detail === undefined ? {} : { detail: plainWords(detail) }),
  };
}
