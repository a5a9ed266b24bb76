// Whether a tunnel may leave `Authorization` to its server: somebody has to be able to say otherwise who he is.
import { TunnelError } from '../core/errors.ts';
import type { ServerTransport } from '../core/server.ts';
import type { OpenTunnel } from '../protocol/control.ts';

/** Throws `USAGE`. `anybody`: whether a grant lets anybody in to the server already. */
export function demandUsableAuth({ auth, grant }: OpenTunnel, transport: ServerTransport, anybody: boolean): void {
  if (!auth?.upstream) return;
  if (transport.kind === 'stdio') {
    throw new TunnelError('USAGE', 'a stdio server hears no Authorization: auth upstream is for servers with a URL');
  }
  if (Object.keys(transport.headers).some((name) => name.toLowerCase() === 'authorization')) {
    throw new TunnelError(
      'USAGE',
      'the server’s declaration has an Authorization of its own: take it out, or leave auth at tunnel',
    );
  }
  if (auth.oauth) {
    throw new TunnelError(
      'USAGE',
      'agents that ask to be let in bring their token as Authorization, which is the server’s with auth upstream',
    );
  }
  if ('none' in grant && !anybody) {
    throw new TunnelError(
      'USAGE',
      'with auth upstream the agent’s Authorization goes to the server, and nothing would say who the agent is: ' +
        'add one with “mcp-tunnel agents add NAME --path-secret” or “--client-ca FILE”, or with a token for the header MCP-Tunnel-Authorization',
    );
  }
}
