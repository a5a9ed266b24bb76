// A remote agent: the MCP SDK's own client, which knows the URL, the token and the CA file that a person gave it.
// Node does not resolve `*.localhost`, so those names are looked up as 127.0.0.1; TLS name and SNI stay the real ones.
import { readFile } from 'node:fs/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch as fetchWith } from 'undici';

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
export async function asAgent({ url, token, caFile }, use) {
  const dispatcher = await dispatcherFor(url, caFile);
  const client = new Client({ name: 'travel-planner', version: '1.2.0' });
  try {
    const transport = new StreamableHTTPClientTransport(new URL(url), {
      fetch: /** @type {typeof fetch} */ (
        /** @type {unknown} */ (
          (/** @type {string | URL} */ input, /** @type {object} */ init) => fetchWith(input, { ...init, dispatcher })
        )
      ),
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    await client.connect(transport);
    const result = await use(client);
    await transport.terminateSession();
    return result;
  } finally {
    await client.close();
    await dispatcher.close();
  }
}

/** The status that a call with a wrong token gets. @param {Access} access @returns {Promise<number>} */
export async function statusWithoutToken({ url, caFile }) {
  const dispatcher = await dispatcherFor(url, caFile);
  try {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
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
