// Connectors and agents that do nothing: links that are held with a name each, and TLS connections that ask nothing.
import { connect, type TLSSocket } from 'node:tls';
import { homedir } from 'node:os';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { systemClock as clock } from '../../../src/core/clock.ts';
import { privateFiles as files } from '../../../src/helper/privateFiles.ts';
import { statePaths } from '../../../src/helper/statePaths.ts';
import { dialEdge } from '../../../src/tunnel/dialEdge.ts';
import { loadEdgeIdentity } from '../../../src/tunnel/edgeIdentity.ts';
import { openConnectorLink } from '../../../src/wire/framings.ts';

export type IdleWish =
  /** Links of one enrolled home, each with a name of its own that begins with `prefix`. */
  | { kind: 'links'; home: string; domain: string; count: number; prefix: string }
  | { kind: 'visitors'; port: number; serverName: string; count: number };

/** They stay until this process ends. */
const held: unknown[] = [];

export async function idle(wish: IdleWish): Promise<{ held: number }> {
  if (wish.kind === 'links') await holdLinks(wish);
  else await holdVisitors(wish);
  return { held: held.length };
}

async function holdLinks({ home, domain, count, prefix }: Extract<IdleWish, { kind: 'links' }>): Promise<void> {
  const folder = statePaths({ MCP_TUNNEL_HOME: home }, process.platform, homedir()).edgesFolder;
  const identity = await loadEdgeIdentity(domain, { files, folder, clock, certs: certificateTools });
  for (let link = 0; link < count; link += 1) {
    const options = { identity, mayDial: () => {}, certs: certificateTools, clock };
    const socket = await dialEdge(options, new AbortController().signal);
    const session = openConnectorLink(socket, { clock, onStream: (stream) => stream.destroy() });
    const control = await session.control;
    control.start();
    const label = `${prefix}-${link >> 2}`;
    await control.request('route/claim', { label, instance: label, run: prefix });
    held.push(session);
  }
}

async function holdVisitors({ port, serverName, count }: Extract<IdleWish, { kind: 'visitors' }>): Promise<void> {
  for (let visitor = 0; visitor < count; visitor += 1) {
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      const place = { host: '127.0.0.1', port, servername: serverName, rejectUnauthorized: false };
      const opened = connect({ ...place, ALPNProtocols: ['http/1.1'] }, () => resolve(opened));
      opened.once('error', reject);
    });
    socket.on('error', () => {});
    held.push(socket);
  }
}
