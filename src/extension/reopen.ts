// After every start of the helper: the tunnels that were on are opened again, with the same name, port and grant, for the same addresses.
// What cannot be opened again is said once; what will not work later either is forgotten.
import { errorInfo } from '../core/errors.ts';
import type { OpenTunnel } from '../protocol/control.ts';
import type { HelperLink } from './helperLink.ts';
import { isSame, type RememberedTunnel, type RememberedTunnels } from './rememberedTunnels.ts';

export type Reopening = {
  helper: Pick<HelperLink, 'request'>;
  remembered: RememberedTunnels;
  folders: () => string[];
  trusted: () => boolean;
  /** How the settings have a server run. */
  run: (server: string) => Pick<OpenTunnel, 'run'>;
  /** Shows why one could not be opened. */
  failed: (tunnel: RememberedTunnel, error: unknown) => void;
};

export async function reopenTunnels({ helper, remembered, folders, trusted, run, failed }: Reopening): Promise<void> {
  if (!trusted() || remembered.all.length === 0) return;
  const { tunnels } = await helper.request('tunnel/list', {});
  const missing = remembered.all.filter((wanted) => !tunnels.some((open) => isSame(open, wanted)));
  await Promise.all(missing.map((tunnel) => reopen(tunnel)));

  async function reopen(tunnel: RememberedTunnel): Promise<void> {
    const { server, destination, name, port, allowFrom } = tunnel;
    try {
      const opened = await helper.request('tunnel/open', {
        server: { id: server.id, folders: folders() },
        destination,
        name,
        ...(port ? { port } : {}),
        ...(allowFrom ? { allowFrom } : {}),
        grant: { none: true },
        ...run(server.id),
        ...(destination.carrier === 'edge' ? { certificate: { kind: 'kept' as const } } : {}),
      });
      await remembered.add(opened.tunnel);
    } catch (error) {
      const info = errorInfo(error);
      if (!info.retryable) await remembered.forget(tunnel);
      // When the helper itself is gone, its next start tries again, and its state tells.
      if (info.code !== 'CLOSED') failed(tunnel, error);
    }
  }
}
