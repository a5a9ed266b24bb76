// The command "Only Let In Addresses…": whose addresses may reach a tunnel, by vendors whose addresses are published and
// by networks that a person types. The edge refuses everybody else before it answers a byte.
import { window, type QuickPickItem } from 'vscode';
import { vendorNetworks } from '../core/vendorNetworks.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { showInfo } from './messages.ts';
import { tunnelOf } from './targets.ts';
import { t } from './vscodeTranslate.ts';

/** `entry` is absent for the row that asks for more. */
type Row = QuickPickItem & { entry?: string };

export async function letIn(app: App, target?: unknown): Promise<void> {
  const title = t('Only Let In Addresses');
  const tunnel = await tunnelOf(app, target, title);
  if (!tunnel) return;
  if (tunnel.destination.carrier !== 'edge') {
    return void showInfo(
      t('This tunnel is reached from this machine only: addresses can be limited where it goes over an edge.'),
    );
  }
  const picked = await window.showQuickPick(rowsOf(tunnel), {
    title,
    canPickMany: true,
    placeHolder: t('Who may connect to {0}; none ticked: anybody with a token', tunnel.server.name),
  });
  if (!picked) return;
  const more = picked.some(({ entry }) => entry === undefined) ? await typedNetworks(title) : [];
  if (!more) return;
  const allowFrom = [...new Set([...picked.flatMap(({ entry }) => entry ?? []), ...more])];
  await app.helper.request('tunnel/allowFrom', { tunnel: tunnel.id, allowFrom });
  const { allowFrom: _before, ...rest } = tunnel;
  await app.remembered.add(allowFrom.length > 0 ? { ...rest, allowFrom } : rest);
  const done =
    allowFrom.length === 0
      ? t('{0}: anybody with a token may connect.', tunnel.server.name)
      : t('{0}: only these addresses may connect.', tunnel.server.name);
  window.setStatusBarMessage(done, 5_000);
}

function rowsOf({ allowFrom = [] }: TunnelInfo): Row[] {
  const vendors = vendorNetworks.flatMap((vendor): Row[] => {
    if (!('networks' in vendor)) return [];
    const { name, label, readOn } = vendor;
    const description = t('as published on {0}', readOn);
    return [{ entry: name, label, description, picked: allowFrom.includes(name) }];
  });
  const others = allowFrom.filter((entry) => !vendors.some((vendor) => vendor.entry === entry));
  const own = others.map((entry): Row => ({ entry, label: entry, picked: true }));
  return [
    ...vendors,
    ...own,
    { label: t('Other addresses…'), description: t('a network like 192.0.2.0/24, or AS64500') },
  ];
}

/** `undefined` when the person left. What is wrong in it the helper says. */
async function typedNetworks(title: string): Promise<string[] | undefined> {
  const text = await window.showInputBox({
    title,
    prompt: t('Networks, addresses or autonomous systems, with spaces between'),
    placeHolder: '192.0.2.0/24 2001:db8::/32 AS64500',
    ignoreFocusOut: true,
  });
  return text?.split(/[\s,]+/).filter((entry) => entry !== '');
}
