// What the tree "Tunnels" shows of agents that ask to be let in: who waits, until when others may ask, and how many
// came while nobody was there.
import type { TunnelInfo } from '../protocol/control.ts';
import { commandIds } from './commandIds.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';
import { roughDuration } from '../core/duration.ts';

export function pairingNodes(tunnel: TunnelInfo, nowMs: number, t: Translate): TreeNode[] {
  const { id, pairing, pairAttempts = 0 } = tunnel;
  const row = {
    id: `tunnel:${id}:pairing`,
    context: 'tunnel.pairing',
    subject: { kind: 'tunnel', tunnel } as const,
    click: { kind: 'command', command: commandIds.pairAgent } as const,
    children: [],
  };
  if (pairing?.pending) {
    const { name, redirectHost } = pairing.pending;
    const label = t('{0} wants to be let in', name);
    return [{ ...row, label, description: redirectHost, icon: { name: 'bell-dot', color: 'charts.yellow' } }];
  }
  if (pairing) {
    const description = t('for {0} more', roughDuration(pairing.untilMs - nowMs));
    return [{ ...row, label: t('Agents may ask to be let in'), description, icon: { name: 'unlock' } }];
  }
  if (pairAttempts === 0) return [];
  const label = pairAttempts === 1 ? t('1 attempt to be let in') : t('{0} attempts to be let in', pairAttempts);
  return [{ ...row, label, description: t('while pairing was closed'), icon: { name: 'shield' } }];
}
