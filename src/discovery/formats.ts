// The configuration files discovery knows, as a table: a further client is a row here. Written from the clients' own
// documentation; one that is read by several clients stands under the one that made it.
import type { ServerFormat } from '../core/server.ts';
import type { ConfigDocument } from './configDocument.ts';
import type { ConfigText } from './configText.ts';
import { readBundle } from './manifests/bundle.ts';
import { readFastmcp } from './manifests/fastmcp.ts';
import { readRegistryServer } from './manifests/registryServer.ts';
import { readSmithery } from './manifests/smithery.ts';
import { place, type ConfigPlace } from './places.ts';
import type { ServerDialect } from './serverDialect.ts';
import type { VariableFamily } from './variables.ts';

export type ConfigFormat = {
  format: ServerFormat;
  places: readonly ConfigPlace[];
  variables: VariableFamily;
  /** `jsonc` when absent. */
  syntax?: 'jsonc' | 'yaml' | 'toml';
} & ({ dialect: ServerDialect } | { manifest: ManifestReader });

/** Reads a file that describes one server instead of a client's list. Never throws; `file` is where it stands. */
export type ManifestReader = (document: ConfigDocument, file: string) => ConfigText;

const mcpServers: ServerDialect = { at: [['mcpServers']] };
const vscode: ServerDialect = { at: [['servers']], looseEnv: true };
const windsurf: ServerDialect = { at: [['mcpServers']], names: { urls: ['serverUrl', 'url'] } };
const codex: ServerDialect = {
  at: [['mcp_servers']],
  names: { headers: ['http_headers'], bearerTokenEnv: 'bearer_token_env_var', envHeaders: 'env_http_headers' },
};
const opencode: ServerDialect = { at: [['mcp'], ['mcp', 'servers']], command: 'list', names: { env: 'environment' } };
const editors = ['Code', 'Code - Insiders', 'VSCodium'];
const inEditors = (...path: string[]): ConfigPlace[] => editors.map((editor) => place('apps', editor, 'User', ...path));

/** In the order servers are listed. */
export const formats: readonly ConfigFormat[] = [
  {
    format: 'vscode',
    places: [
      place('workspace', '.vscode', 'mcp.json'),
      ...inEditors('mcp.json'),
      ...inEditors('profiles', '*', 'mcp.json'),
    ],
    dialect: vscode,
    variables: 'vscode',
  },
  {
    format: 'vscode',
    places: [place('workspace', '*.code-workspace')],
    dialect: {
      ...vscode,
      at: [
        ['mcp', 'servers'],
        ['settings', 'mcp', 'servers'],
      ],
    },
    variables: 'vscode',
  },
  {
    format: 'vscode',
    places: [
      place('workspace', '.devcontainer', 'devcontainer.json'),
      place('workspace', '.devcontainer.json'),
      place('workspace', '.devcontainer', '*', 'devcontainer.json'),
    ],
    dialect: { ...vscode, at: [['customizations', 'vscode', 'mcp', 'servers']] },
    variables: 'vscode',
  },
  {
    format: 'vscode',
    places: inEditors('settings.json'),
    dialect: { ...vscode, at: [['mcp', 'servers']] },
    variables: 'vscode',
  },
  { format: 'claude-code', places: [place('workspace', '.mcp.json')], dialect: mcpServers, variables: 'shell' },
  {
    format: 'claude-code',
    places: [place('home', '.claude.json')],
    dialect: { at: [['projects', { folder: true }, 'mcpServers'], ['mcpServers']] },
    variables: 'shell',
  },
  {
    format: 'copilot',
    places: [
      place('workspace', '.github', 'mcp.json'),
      place({ variable: 'COPILOT_HOME', else: '.copilot' }, 'mcp-config.json'),
    ],
    dialect: mcpServers,
    variables: 'shell',
  },
  {
    format: 'claude-desktop',
    places: [place('apps', 'Claude', 'claude_desktop_config.json')],
    dialect: mcpServers,
    variables: 'none',
  },
  {
    format: 'cursor',
    places: [place('workspace', '.cursor', 'mcp.json'), place('home', '.cursor', 'mcp.json')],
    dialect: mcpServers,
    variables: 'cursor',
  },
  {
    format: 'windsurf',
    places: [place('home', '.codeium', 'windsurf', 'mcp_config.json')],
    dialect: windsurf,
    variables: 'environment',
  },
  {
    format: 'antigravity',
    places: [place('home', '.gemini', 'config', 'mcp_config.json')],
    dialect: windsurf,
    variables: 'environment',
  },
  {
    format: 'cline',
    places: [
      ...inEditors('globalStorage', 'saoudrizwan.claude-dev', 'settings', 'cline_mcp_settings.json'),
      place('home', '.cline', 'data', 'settings', 'cline_mcp_settings.json'),
    ],
    dialect: { ...mcpServers, untypedUrl: 'sse' },
    variables: 'environment',
  },
  {
    format: 'roo',
    places: [
      place('workspace', '.roo', 'mcp.json'),
      ...inEditors('globalStorage', 'rooveterinaryinc.roo-cline', 'settings', 'mcp_settings.json'),
    ],
    dialect: mcpServers,
    variables: 'environment',
  },
  {
    format: 'kilo',
    places: [place('workspace', '.kilocode', 'mcp.json')],
    dialect: mcpServers,
    variables: 'environment',
  },
  {
    format: 'kilo',
    places: [
      place('workspace', 'kilo.json'),
      place('workspace', '.kilo', 'kilo.json'),
      place('config', 'kilo', 'kilo.json'),
    ],
    dialect: opencode,
    variables: 'opencode',
  },
  {
    format: 'gemini',
    places: [place('workspace', '.gemini', 'settings.json'), place('home', '.gemini', 'settings.json')],
    dialect: { ...mcpServers, names: { urls: ['httpUrl', 'url'] } },
    variables: 'gemini',
  },
  {
    format: 'codex',
    places: [
      place('workspace', '.codex', 'config.toml'),
      place({ variable: 'CODEX_HOME', else: '.codex' }, 'config.toml'),
    ],
    dialect: codex,
    variables: 'none',
    syntax: 'toml',
  },
  {
    format: 'grok',
    places: [place('workspace', '.grok', 'config.toml'), place('home', '.grok', 'config.toml')],
    dialect: codex,
    variables: 'none',
    syntax: 'toml',
  },
  {
    format: 'zed',
    places: [place('workspace', '.zed', 'settings.json'), place('zed', 'settings.json')],
    dialect: { at: [['context_servers']], command: 'text-or-object', looseEnv: true, foreign: ['extension'] },
    variables: 'none',
  },
  {
    format: 'jetbrains',
    places: [
      place('workspace', '.junie', 'mcp', 'mcp.json'),
      place('workspace', '.air', 'mcp.json'),
      place('home', '.junie', 'mcp', 'mcp.json'),
    ],
    dialect: mcpServers,
    variables: 'none',
  },
  {
    format: 'continue',
    places: [
      place('workspace', '.continue', 'mcpServers', '*.yaml'),
      place('workspace', '.continue', 'mcpServers', '*.yml'),
      place('workspace', '.continue', 'config.yaml'),
      place('home', '.continue', 'mcpServers', '*.yaml'),
      place('home', '.continue', 'config.yaml'),
    ],
    dialect: { ...mcpServers, shape: 'list', names: { headers: ['requestOptions', 'headers'] } },
    variables: 'continue',
    syntax: 'yaml',
  },
  {
    format: 'continue',
    places: [
      place('workspace', '.continue', 'mcpServers', '*.json'),
      place('home', '.continue', 'mcpServers', '*.json'),
    ],
    dialect: mcpServers,
    variables: 'continue',
  },
  {
    format: 'kiro',
    places: [place('workspace', '.kiro', 'settings', 'mcp.json'), place('home', '.kiro', 'settings', 'mcp.json')],
    dialect: mcpServers,
    variables: 'shell',
  },
  {
    format: 'amazon-q',
    places: [place('workspace', '.amazonq', 'mcp.json'), place('home', '.aws', 'amazonq', 'mcp.json')],
    dialect: mcpServers,
    variables: 'none',
  },
  {
    format: 'opencode',
    places: ['opencode.json', 'opencode.jsonc'].flatMap((name) => [
      place('workspace', name),
      place('workspace', '.opencode', name),
      place('config', 'opencode', name),
    ]),
    dialect: opencode,
    variables: 'opencode',
  },
  {
    format: 'goose',
    places: [place('goose', 'config.yaml')],
    dialect: {
      at: [['extensions']],
      names: { command: 'cmd', env: 'envs', urls: ['uri'] },
      foreign: ['builtin', 'platform', 'frontend', 'inline_python'],
    },
    variables: 'none',
    syntax: 'yaml',
  },
  { format: 'lm-studio', places: [place('home', '.lmstudio', 'mcp.json')], dialect: mcpServers, variables: 'none' },
  {
    format: 'mcporter',
    places: [place('workspace', 'config', 'mcporter.json'), place('home', '.mcporter', 'mcporter.json')],
    dialect: { ...mcpServers, names: { urls: ['baseUrl', 'url'] } },
    variables: 'shell',
  },
  {
    format: 'kimi',
    places: [place('workspace', '.kimi-code', 'mcp.json')],
    dialect: { ...mcpServers, typeField: 'transport' },
    variables: 'shell',
  },
  {
    format: 'mastra',
    places: [place('workspace', '.mastracode', 'mcp.json')],
    dialect: mcpServers,
    variables: 'shell',
  },
  { format: 'pi', places: [place('workspace', '.pi', 'mcp.json')], dialect: mcpServers, variables: 'shell' },
  { format: 'fx', places: [place('home', '.fx', 'mcp.json')], dialect: mcpServers, variables: 'shell' },
  {
    format: 'registry',
    places: [place('workspace', 'server.json')],
    manifest: readRegistryServer,
    variables: 'manifest',
  },
  { format: 'mcpb', places: [place('workspace', 'manifest.json')], manifest: readBundle, variables: 'manifest' },
  {
    format: 'fastmcp',
    places: [place('workspace', 'fastmcp.json'), place('workspace', '*.fastmcp.json')],
    manifest: readFastmcp,
    variables: 'none',
  },
  {
    format: 'smithery',
    places: [place('workspace', 'smithery.yaml')],
    manifest: readSmithery,
    variables: 'none',
    syntax: 'yaml',
  },
];
