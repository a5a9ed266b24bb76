// A tunnel as a server over stdio, for a client that starts its servers and does not trust the tunnel's certificate:
// lines of JSON-RPC on stdin and stdout, Streamable HTTP to the tunnel (MCP 2025-11-25, transports). Where to, with which
// token and which CA stands in the environment of this process and nowhere else.
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Agent, fetch as undiciFetch } from 'undici';

/** `MCP_TUNNEL_BRIDGE_…`, as the extension sets them. */
const { MCP_TUNNEL_BRIDGE_URL: url, MCP_TUNNEL_BRIDGE_TOKEN: token, MCP_TUNNEL_BRIDGE_CA: caFile } = process.env;

/** How long the end of the session may take. */
const endMs = 2000;

async function bridge(): Promise<void> {
  if (!url || !token) throw new Error('MCP_TUNNEL_BRIDGE_URL and MCP_TUNNEL_BRIDGE_TOKEN are not set');
  const ca = caFile ? await readFile(caFile, 'utf8') : undefined;
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
  const fetchThrough = ((input: string | URL, init?: RequestInit) =>
    undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch;
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: fetchThrough,
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  let handshake: string | number | undefined;
  transport.onmessage = (message) => {
    if ('result' in message && message.id === handshake) {
      transport.setProtocolVersion(String(message.result['protocolVersion']));
    }
    process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  await transport.start();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    const message = parse(line);
    if (!message) return; // Not a message: nobody waits for an answer.
    if ('method' in message && message.method === 'initialize' && 'id' in message) handshake = message.id;
    transport.send(message).catch((error: unknown) => fail(message, error));
  });
  lines.once('close', () => {
    const end = (): never => process.exit(0);
    setTimeout(end, endMs); // A tunnel that waits for its edge answers nothing.
    transport.terminateSession().then(end, end);
  });
}

function parse(line: string): JSONRPCMessage | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return typeof message === 'object' && message !== null ? (message as JSONRPCMessage) : undefined;
  } catch {
    return undefined;
  }
}

/** A request that did not get through is answered; of what was none, the client's log hears. */
function fail(message: JSONRPCMessage, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${text}\n`);
  if (!('method' in message) || !('id' in message)) return;
  const answer = { jsonrpc: '2.0', id: message.id, error: { code: -32000, message: text } };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

bridge().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
