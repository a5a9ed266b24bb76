// The MCP SDK's own client as a remote agent: it has a URL, a token and the PEM of a CA, nothing else of ours.
// Where the URL's name cannot be resolved by Node, that one name is looked up as this machine.
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { onTestFinished } from 'vitest';

export type AgentAccess = { url: string; token: string; caFile: string };

export type SdkAgent = {
  client: Client;
  transport: StreamableHTTPClientTransport;
  /** Before the test ends: the client, and every connection that it kept. */
  close: () => Promise<void>;
};

export type SdkAgentOptions = {
  capabilities?: ClientCapabilities;
  /** Before it connects: handlers for what the server may ask. */
  prepare?: (client: Client) => void;
};

export async function connectSdkAgent(
  { url, token, caFile }: AgentAccess,
  { capabilities = {}, prepare }: SdkAgentOptions = {},
): Promise<SdkAgent> {
  const dispatcher = await dispatcherFor(url, caFile);
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: ((input: string | URL, init?: RequestInit) =>
      undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch,
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  const client = new Client({ name: 'test-agent', version: '1.0.0' }, { capabilities });
  prepare?.(client);
  const close = async (): Promise<void> => {
    await client.close();
    await dispatcher.destroy();
  };
  onTestFinished(close);
  await client.connect(transport);
  return { client, transport, close };
}

/** One request of an agent that speaks plain HTTP. */
export async function post(
  { url, token, caFile }: Omit<AgentAccess, 'token'> & { token?: string },
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const dispatcher = await dispatcherFor(url, caFile);
  try {
    const response = await undiciFetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body,
      dispatcher,
    });
    return { status: response.status, text: await response.text() };
  } finally {
    await dispatcher.destroy();
  }
}

export async function dispatcherFor(url: string, caFile: string): Promise<Agent> {
  const { hostname } = new URL(url);
  const lookup: LookupFunction = (_name, { all }, found) => {
    if (all) found(null, [{ address: '127.0.0.1', family: 4 }]);
    else found(null, '127.0.0.1', 4);
  };
  const ca = await readFile(caFile, 'utf8');
  return new Agent({ connect: { ca, ...(isIP(hostname) === 0 ? { lookup } : {}) } });
}
