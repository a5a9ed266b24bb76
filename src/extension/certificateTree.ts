// What the tree "Tunnels" says of certificates: a line of the tooltip for the one that agents see, and a row where
// somebody should look after it, or after this machine's own for the edge.
import type { TunnelInfo } from '../protocol/control.ts';
import type { Translate } from './translate.ts';
import type { TreeNode } from './treeNode.ts';

export function certificateNodes(tunnel: TunnelInfo, t: Translate): TreeNode[] {
  const seen = tunnel.certificate?.warning;
  return [
    ...(seen === undefined ? [] : [warningNode(tunnel, 'certificate', seen, certificateLines(tunnel, t))]),
    ...(tunnel.warning === undefined ? [] : [warningNode(tunnel, 'warning', tunnel.warning)]),
  ];
}

function warningNode({ id }: TunnelInfo, place: string, warning: string, more: readonly string[] = []): TreeNode {
  return {
    id: `tunnel:${id}:${place}`,
    label: warning,
    tooltip: [warning, ...more].join('\n'),
    icon: { name: 'warning', color: 'problemsWarningIcon.foreground' },
    children: [],
  };
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
