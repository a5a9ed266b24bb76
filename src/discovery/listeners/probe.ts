// Is it an MCP server: asked in both eras, as an agent would ask, with a short time for each question. A session that
// the question opened is ended again. Whoever asks has asked the person first: even a question can start something.
import { request } from 'undici';
import { isJsonObject, type JsonValue } from '../../core/json.ts';

/** How long one question may take, and how much of its answer is looked at. */
export const probeTimeoutMs = 1_500;
export const maxAnswerBytes = 65_536;

export type ProbeResult = {
  url: string;
  era: 'legacy' | 'modern' | 'sse';
  /** The server's own words. */
  name?: string;
  /** It wants a credential before it says more. */
  needsAuth?: true;
};

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'mcp-tunnel', version: '0' },
};
const DISCOVER = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: META } };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'mcp-tunnel', version: '0' } },
};

/** `undefined` for what does not speak MCP, or not in time. Never rejects. */
export async function probe(port: number, signal: AbortSignal): Promise<ProbeResult | undefined> {
  for (const path of ['/mcp', '/']) {
    const url = `http://localhost:${port}${path}`;
    const modern = await post(
      url,
      DISCOVER,
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
      signal,
    );
    if (!modern) return undefined; // Nobody answers HTTP there: the other questions would only take their time.
    if (modern.status === 401 && path === '/mcp') return { url, era: 'legacy', needsAuth: true };
    const discovered = resultIn(modern);
    if (discovered && Array.isArray(discovered['supportedVersions'])) {
      const meta = discovered['_meta'];
      return {
        url,
        era: 'modern',
        ...nameOf(isJsonObject(meta) ? meta['io.modelcontextprotocol/serverInfo'] : undefined),
      };
    }
    const legacy = await post(url, INITIALIZE, {}, signal);
    const initialized = legacy && resultIn(legacy);
    if (legacy && initialized && typeof initialized['protocolVersion'] === 'string') {
      await endSession(url, legacy, signal);
      return { url, era: 'legacy', ...nameOf(initialized['serverInfo']) };
    }
  }
  return probeSse(port, signal);
}

async function probeSse(port: number, signal: AbortSignal): Promise<ProbeResult | undefined> {
  const url = `http://localhost:${port}/sse`;
  const answer = await ask(url, 'GET', { accept: 'text/event-stream' }, undefined, signal, 'event: endpoint');
  return answer?.status === 200 && /^event: endpoint\r?$/m.test(answer.text) ? { url, era: 'sse' } : undefined;
}

function post(
  url: string,
  body: object,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const all = { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return ask(url, 'POST', all, JSON.stringify(body), signal, '"jsonrpc"');
}

async function endSession(url: string, { headers }: Answer, signal: AbortSignal): Promise<void> {
  const session = headers['mcp-session-id'];
  if (typeof session === 'string') await ask(url, 'DELETE', { 'mcp-session-id': session }, undefined, signal);
}

/** Reads until `enough` was seen with the end of its line: a stream need not end. */
async function ask(
  url: string,
  method: 'GET' | 'POST' | 'DELETE',
  headers: Record<string, string>,
  body: string | undefined,
  signal: AbortSignal,
  enough?: string,
): Promise<Answer | undefined> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]);
  try {
    const answer = await request(url, { method, headers, body: body ?? null, signal: inTime });
    let text = '';
    for await (const chunk of answer.body) {
      text += String(chunk);
      const seen = enough === undefined ? -1 : text.indexOf(enough);
      if (text.length > maxAnswerBytes || (seen >= 0 && text.includes('\n', seen))) break;
    }
    return { status: answer.statusCode, headers: answer.headers, text };
  } catch {
    return undefined; // Refused, silent, or no HTTP: not a server that agents can use.
  }
}

/** The `result` of the answer, as JSON or as the first event that holds one. */
function resultIn({ text }: Answer): { [key: string]: JsonValue } | undefined {
  const candidates = [text, ...[...text.matchAll(/^data: ?(.*)$/gm)].map(([, data = '']) => data)];
  for (const candidate of candidates) {
    try {
      const message = JSON.parse(candidate) as JsonValue;
      if (isJsonObject(message) && isJsonObject(message['result'])) return message['result'];
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

function nameOf(info: JsonValue | undefined): { name?: string } {
  if (!isJsonObject(info) || typeof info['name'] !== 'string') return {};
  return { name: info['name'].slice(0, 80) };
}
