// What the tree "Tunnels" says of the certificate that agents see: a line of the tooltip, and a row where somebody should
// know something of it.
import type { TunnelInfo } from '../protocol/control.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';

export function certificateNodes(tunnel: TunnelInfo, t: Translate): TreeNode[] {
  const warning = tunnel.certificate?.warning;
  if (warning === undefined) return [];
  return [
    {
      id: `tunnel:${tunnel.id}:certificate`,
      label: warning,
      tooltip: [warning, ...certificateLines(tunnel, t)].join('\n'),
      icon: { name: 'warning', color: 'problemsWarningIcon.foreground' },
      children: [],
    },
  ];
}

/** Nothing for the certificate that a tunnel has where nobody asked for another one. */
export function certificateLines({ certificate }: TunnelInfo, t: Translate): string[] {
  if (!certificate || (certificate.kind === 'local' && certificate.warning === undefined)) return [];
  const until = new Date(certificate.expiresMs).toLocaleString();
  const shown = {
    local: t('Certificate: of this machine’s own authority, until {0}', until),
    acme: t('Certificate: issued by an authority (ACME), until {0}', until),
    own: t('Certificate: your own, until {0}', until),
  }[certificate.kind];
  return [
    shown,
    ...(certificate.account === undefined ? [] : [t('Account at the authority: {0}', certificate.account)]),
  ];
}
