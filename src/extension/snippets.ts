// What to paste into an agent so that it finds the tunnel: a command, a JSON file, a request. Pure text: names of
// servers are written by strangers, so each snippet quotes for the language it is read by.
import type { TunnelInfo } from '../protocol/control.ts';
import type { Translate } from './translate.ts';

export type SnippetKind = 'claude-code' | 'claude-api' | 'openai-responses' | 'cursor' | 'vscode' | 'curl';

export type Snippet = {
  kind: SnippetKind;
  /** The agent's name. */
  label: string;
  /** Where the snippet goes. */
  description: string;
  /** Why it will not work, or what it needs besides; `undefined` when it just works. */
  caution: string | undefined;
  text: string;
};

export type SnippetTarget = { server: string; url: string; token: string; caFile?: string; machineOnly: boolean };

/** An embedded tunnel is reached by its loopback address: most clients cannot resolve `*.localhost`. */
export function snippetTarget(tunnel: TunnelInfo, token: string): SnippetTarget | undefined {
  const machineOnly = tunnel.destination.carrier === 'embedded';
  const url = (machineOnly ? tunnel.loopbackUrl : undefined) ?? tunnel.url;
  if (!url) return undefined;
  const { caFile } = tunnel;
  return { server: tunnel.server.name, url, token, machineOnly, ...(caFile ? { caFile } : {}) };
}

export function snippetsFor(target: SnippetTarget, t: Translate): Snippet[] {
  const needsCa = target.caFile
    ? t('The certificate is signed by your own CA: start it with NODE_EXTRA_CA_CERTS={0}', target.caFile)
    : undefined;
  const cannotReach = target.machineOnly
    ? t('It runs in the cloud and cannot reach a tunnel that is open on this machine only.')
    : undefined;
  return [
    {
      kind: 'claude-code',
      label: 'Claude Code',
      description: t('a command for your terminal'),
      caution: needsCa,
      text: claudeCode(target),
    },
    {
      kind: 'claude-api',
      label: 'Claude Messages API',
      description: t('a request with curl'),
      caution: cannotReach,
      text: claudeApi(target),
    },
    {
      kind: 'openai-responses',
      label: 'OpenAI Responses API',
      description: t('a request with curl'),
      caution: cannotReach,
      text: openAi(target),
    },
    { kind: 'cursor', label: 'Cursor', description: '.cursor/mcp.json', caution: needsCa, text: cursor(target) },
    { kind: 'vscode', label: 'VS Code', description: '.vscode/mcp.json', caution: needsCa, text: vscodeJson(target) },
    {
      kind: 'curl',
      label: 'curl',
      description: t('a first call, to try it out'),
      caution: undefined,
      text: curl(target),
    },
  ];
}

/** Letters, digits, hyphens and underscores: what every client accepts as a server's name. */
export function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_]+/g, '-').replace(/^-+|-+$/g, '');
  return plain.slice(0, 48) || 'server';
}

/** One word of a POSIX shell, whatever is in it. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);
const bearer = (token: string): string => `Bearer ${token}`;

function claudeCode({ server, url, token, caFile }: SnippetTarget): string {
  const add = `claude mcp add --transport http ${shellWord(plainName(server))} ${shellWord(url)}`;
  const header = `--header ${shellWord(`Authorization: ${bearer(token)}`)}`;
  const start = caFile ? `\nNODE_EXTRA_CA_CERTS=${shellWord(caFile)} claude` : '';
  return `${add} ${header}${start}\n`;
}

function claudeApi({ server, url, token }: SnippetTarget): string {
  const name = plainName(server);
  return post(
    'https://api.anthropic.com/v1/messages',
    [
      ['x-api-key', '$ANTHROPIC_API_KEY'],
      ['anthropic-version', '2023-06-01'],
      ['anthropic-beta', 'mcp-client-2026-09-15'],
    ],
    {
      model: 'claude-sonnet-4-5',
      max_tokens: 1024,
      messages: [{ role: 'user', content: 'What tools do you have?' }],
      mcp_servers: [{ type: 'url', url, name, authorization_token: token }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: name }],
    },
  );
}

function openAi({ server, url, token }: SnippetTarget): string {
  return post('https://api.openai.com/v1/responses', [['authorization', 'Bearer $OPENAI_API_KEY']], {
    model: 'gpt-5',
    input: 'What tools do you have?',
    tools: [
      {
        type: 'mcp',
        server_label: plainName(server),
        server_url: url,
        authorization: token,
        require_approval: 'always',
      },
    ],
  });
}

function cursor({ server, url, token }: SnippetTarget): string {
  const headers = { Authorization: bearer(token) };
  return `${json({ mcpServers: { [plainName(server)]: { url, headers } } })}\n`;
}

function vscodeJson({ server, url, token }: SnippetTarget): string {
  const headers = { Authorization: bearer(token) };
  return `${json({ servers: { [plainName(server)]: { type: 'http', url, headers } } })}\n`;
}

function curl({ url, token, caFile }: SnippetTarget): string {
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'curl', version: '1' } },
  };
  const words = [
    `curl --no-buffer ${shellWord(url)}`,
    ...(caFile ? [`--cacert ${shellWord(caFile)}`] : []),
    `--header ${shellWord(`Authorization: ${bearer(token)}`)}`,
    `--header 'Content-Type: application/json'`,
    `--header 'Accept: application/json, text/event-stream'`,
    `--data ${shellWord(JSON.stringify(initialize))}`,
  ];
  return `${words.join(' \\\n  ')}\n`;
}

/** Headers stand in double quotes, so that the shell puts in the keys it holds; they are ours, never a stranger's. */
function post(url: string, headers: readonly (readonly [string, string])[], body: unknown): string {
  const words = [
    `curl ${url}`,
    ...[...headers, ['content-type', 'application/json'] as const].map(
      ([name, value]) => `--header "${name}: ${value}"`,
    ),
    `--data ${shellWord(json(body))}`,
  ];
  return `${words.join(' \\\n  ')}\n`;
}
