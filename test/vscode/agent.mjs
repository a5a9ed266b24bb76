// A remote agent: the MCP SDK's own client, which knows the URL, the token and the CA file that a person gave it.
// Node does not resolve `*.localhost`, so those names are looked up as 127.0.0.1; TLS name and SNI stay the real ones.
import { readFile } from 'node:fs/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch as fetchWith } from 'undici';

const timeoutMs = 60_000;

/**
 * @typedef {{ url: string, token: string, caFile: string }} Access
 * @typedef {import('@modelcontextprotocol/sdk/client/index.js').Client} McpClient
 */

/** What the copied curl command holds. @param {string} command @returns {Access} */
export function accessOf(command) {
  const find = (/** @type {RegExp} */ pattern) => {
    const found = pattern.exec(command)?.[1];
    if (!found) throw new Error(`${pattern} is not in: ${command}`);
    return found;
  };
  return { url: find(/(https:\S+)/), token: find(/Bearer ([\w-]+)/), caFile: find(/--cacert (\S+)/) };
}

/**
 * Connects, gives `use` the client, and leaves.
 * @template T
 * @param {Access} access
 * @param {(client: McpClient) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function asAgent(access, use) {
  const { client, transport, leave } = await connectAgent(access);
  try {
    const result = await use(client);
    await transport.terminateSession();
    return result;
  } finally {
    await leave();
  }
}

/** Stays connected until `leave`. @param {Access} access */
export async function connectAgent({ url, token, caFile }) {
  const dispatcher = await dispatcherFor(url, caFile);
  const client = new Client({ name: 'travel-planner', version: '1.2.0' });
  const leave = async () => {
    await client.close();
    await dispatcher.destroy();
  };
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: /** @type {typeof fetch} */ (
      /** @type {unknown} */ (
        (/** @type {string | URL} */ input, /** @type {object} */ init) => fetchWith(input, { ...init, dispatcher })
      )
    ),
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  try {
    await client.connect(transport);
    return { client, transport, leave };
  } catch (error) {
    await leave();
    throw error;
  }
}

/**
 * Calls a tool in a session that is open, and gives what comes until the stream ends.
 * @param {Access & { session: string }} access
 * @param {string} name
 * @param {Record<string, unknown>} args
 * @returns {Promise<{ status: number, text: Promise<string> }>} once the answer begins; `text` when it is over, which fails after a minute
 */
export async function streamedCall({ url, token, caFile, session }, name, args) {
  const dispatcher = await dispatcherFor(url, caFile);
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${token}`,
    'mcp-session-id': session,
  };
  const params = { name, arguments: args, _meta: { progressToken: 1 } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 'streamed', method: 'tools/call', params });
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetchWith(url, { method: 'POST', headers, body, dispatcher, signal });
  const read = async () => {
    let text = '';
    try {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    } catch (error) {
      if (signal.aborted) throw new Error(`the stream of ${name} is still open`, { cause: error });
      // Cut off is an end, too.
    } finally {
      await dispatcher.destroy();
    }
    return text;
  };
  return { status: response.status, text: read() };
}

/** The status that a call without a token gets. @param {Access} access @returns {Promise<number>} */
export const statusWithoutToken = ({ url, caFile }) => statusOf({ url, caFile });

/** The status that a call gets. @param {{ url: string, caFile: string, token?: string }} access @returns {Promise<number>} */
export async function statusOf({ url, caFile, token }) {
  const dispatcher = await dispatcherFor(url, caFile);
  try {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const response = await fetchWith(url, { method: 'POST', headers, body, dispatcher });
    await response.arrayBuffer();
    return response.status;
  } finally {
    await dispatcher.close();
  }
}

/** @param {string} url @param {string} caFile */
async function dispatcherFor(url, caFile) {
  const ca = await readFile(caFile, 'utf8');
  if (!new URL(url).hostname.endsWith('.localhost')) return new Agent({ connect: { ca } });
  /** @type {import('node:net').LookupFunction} */
  const lookup = (_name, { all }, found) =>
    all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);
  return new Agent({ connect: { ca, lookup } });
}
