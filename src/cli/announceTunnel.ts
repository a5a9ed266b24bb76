// The first thing `expose` says: the contract's `ready` line, or for people the URL, the token and what they need.
import { allowFromWords } from '../core/allowFromWords.ts';
import type { OpenedTunnel } from '../protocol/control.ts';
import { sayCertificate } from './certificateOptions.ts';
import type { CommandContext } from './command.ts';
import { writeSecret } from './secretText.ts';

export async function announceTunnel(
  context: CommandContext,
  opened: OpenedTunnel,
  { tokenFile, auth }: { tokenFile?: string; auth?: string },
): Promise<void> {
  const { tunnel, token = '', readyMs } = opened;
  const { id, server, hostname, url, loopbackUrl, caFile, certificate, privacy, allowFrom } = tunnel;
  if (tokenFile !== undefined) await writeSecret(context, tokenFile, token);
  const { output } = context;
  const shownToken = tokenFile === undefined ? { token } : { tokenFile };
  const told = {
    tunnel: id,
    server: server.name,
    hostname,
    url,
    loopbackUrl,
    ...shownToken,
    caFile,
    certificate,
    privacy,
  };
  output.event({ event: 'ready', ...told, ...(allowFrom ? { allowFrom } : {}), readyMs });
  output.line({ text: `“${server.name}” is reachable.`, style: 'bold' });
  output.line('  URL       ', { text: url ?? '', style: 'cyan' });
  if (loopbackUrl !== undefined)
    output.line('            ', { text: loopbackUrl, style: 'cyan' }, '  (where *.localhost does not resolve)');
  output.line('  Token     ', tokenFile ?? token);
  if (auth === 'upstream')
    output.line('            ', 'as MCP-Tunnel-Authorization: Bearer …; Authorization goes to the server');
  if (tunnel.pairAttempts !== undefined)
    output.line('  OAuth     ', 'agents that cannot be given a token get the URL alone, and ask to be let in');
  if (caFile !== undefined) output.line('  CA file   ', `${caFile}  (NODE_EXTRA_CA_CERTS for Node clients)`);
  if (allowFrom)
    output.line('  Lets in   ', `${allowFromWords(allowFrom)} only  (--allow-from anyone: everybody again)`);
  sayCertificate(output, certificate);
  if (tunnel.destination.carrier === 'embedded')
    output.line('  Reach     ', 'this machine only: agents elsewhere need an edge (--carrier edge)');
  output.line('  Stop      ', 'Ctrl-C');
  output.line();
}
