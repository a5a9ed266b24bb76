// What the tree "Tunnels" shows of calls that wait for a person: one row each, which answers it when it is clicked.
import type { HeldCall } from '../mcp/heldCall.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import { commandIds } from './commandIds.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';
import { roughDuration } from '../core/duration.ts';

/** Characters of arguments in a tooltip. */
const maxShown = 1_000;

export function holdNodes(tunnel: TunnelInfo, held: readonly HeldCall[], nowMs: number, t: Translate): TreeNode[] {
  return held
    .filter((call) => call.tunnel === tunnel.id)
    .map((call) => ({
      id: `tunnel:${tunnel.id}:held:${call.id}`,
      label: t('{0} waits for you: {1}', call.agent, call.tool),
      description: t('denied in {0}', roughDuration(Math.max(0, call.untilMs - nowMs))),
      tooltip: `${call.rule}\n${shortened(call.arguments, maxShown)}`,
      icon: { name: 'debug-pause', color: 'charts.yellow' },
      context: 'tunnel.held',
      subject: { kind: 'held', tunnel, call } as const,
      click: { kind: 'command', command: commandIds.answerHeldCall } as const,
      children: [],
    }));
}

export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
