// Where everything lives on this machine, worked out from the environment once, without touching the disk.
// `MCP_TUNNEL_HOME` moves all of it; the managed policy alone has a fixed, admin-owned place that no variable can move.
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { posix, win32 } from 'node:path';
import { TunnelError } from '../core/errors.ts';

/** Longest path of a Unix socket in bytes: macOS allows 103, Linux 107. */
export const maxSocketPathBytes = 100;

export type StatePaths = {
  /** The data folder; everything below is in it unless it says otherwise. */
  home: string;
  /** In the platform's folder for settings, which may be another one than `home`. */
  userPolicy: string;
  managedPolicy: string;
  grants: string;
  /** What agents that paired hold: digests of their tokens. */
  oauth: string;
  tunnels: string;
  consents: string;
  /** Commands that stand in place of guesses. */
  editedCommands: string;
  /** What servers offered when they were looked at. */
  previews: string;
  auditFolder: string;
  /** Traffic that is not held in memory, while a helper runs. */
  trafficFolder: string;
  /** Signs the audit logs; the public half stands beside it. */
  auditKey: { private: string; public: string };
  caFolder: string;
  /** Accounts at certificate authorities that speak ACME, and what they issued. */
  acmeFolder: string;
  /** Certificates of the edges this machine is enrolled at. */
  edgesFolder: string;
  runFolder: string;
  /** Data of an edge run without `--data`. */
  edgeData: string;
  /** Where sockets of running helpers are, and how their names begin (a folder of the system's pipes on Windows). */
  helperSockets: { folder: string; prefix: string };
  helperSocket(helperId: string): string;
  edgeSocket(edgeDataFolder: string): string;
  workspacePolicy(folder: string): string;
};

/** A fixed path per system, never taken from the environment. */
export function managedPolicyPath(platform: NodeJS.Platform): string {
  if (platform === 'win32') return 'C:\\ProgramData\\mcp-tunnel\\policy.json';
  if (platform === 'darwin') return '/Library/Application Support/mcp-tunnel/policy.json';
  return '/etc/mcp-tunnel/policy.json';
}

export type StatePathsOptions = {
  /** For tests: a managed policy elsewhere. */
  managedPolicy?: string;
  /** Where a short folder for sockets is made when `home` is too deep. */
  temporary?: string;
};

/** Throws `USAGE` when `MCP_TUNNEL_HOME` is not an absolute path. */
export function statePaths(
  env: Record<string, string | undefined>,
  platform: NodeJS.Platform,
  homedir: string,
  options: StatePathsOptions = {},
): StatePaths {
  const path = platform === 'win32' ? win32 : posix;
  const { data, config } = folders(env, platform, homedir);
  const runFolder = path.join(data, 'run');
  const temporary = options.temporary ?? tmpdir();

  const helperSockets =
    platform === 'win32'
      ? { folder: PIPES, prefix: `mcp-tunnel-${digest(data)}-helper-` }
      : { folder: socketFolder(runFolder, temporary), prefix: 'helper-' };
  const helperSocket = (helperId: string): string =>
    platform === 'win32'
      ? `${PIPES}${helperSockets.prefix}${digest(helperId)}`
      : path.join(helperSockets.folder, `${helperSockets.prefix}${digest(helperId)}.sock`);
  const edgeSocket = (edgeData: string): string =>
    platform === 'win32'
      ? `${PIPES}mcp-tunnel-edge-${digest(path.resolve(edgeData).toLowerCase())}`
      : path.join(socketFolder(path.resolve(edgeData), temporary), 'edge-control.sock');

  return {
    home: data,
    userPolicy: path.join(config, 'policy.json'),
    managedPolicy: options.managedPolicy ?? managedPolicyPath(platform),
    grants: path.join(data, 'grants.json'),
    oauth: path.join(data, 'oauth.json'),
    tunnels: path.join(data, 'tunnels.json'),
    consents: path.join(data, 'consents.json'),
    editedCommands: path.join(data, 'commands.json'),
    previews: path.join(data, 'previews.json'),
    auditFolder: path.join(data, 'audit'),
    trafficFolder: path.join(data, 'traffic'),
    auditKey: { private: path.join(data, 'audit-key.pem'), public: path.join(data, 'audit-key.pub.pem') },
    caFolder: path.join(data, 'ca'),
    acmeFolder: path.join(data, 'acme'),
    edgesFolder: path.join(data, 'edges'),
    runFolder,
    edgeData: path.join(data, 'edge'),
    helperSockets,
    helperSocket,
    edgeSocket,
    workspacePolicy: (folder) => path.join(folder, '.vscode', 'mcp-tunnel.json'),
  };
}

const PIPES = '\\\\.\\pipe\\';

/** The folders npm's `env-paths` names (XDG, Library, AppData), as a function of what is handed in. */
function folders(
  env: Record<string, string | undefined>,
  platform: NodeJS.Platform,
  homedir: string,
): { data: string; config: string } {
  const path = platform === 'win32' ? win32 : posix;
  const own = env['MCP_TUNNEL_HOME'];
  if (own) {
    if (!path.isAbsolute(own)) throw new TunnelError('USAGE', `MCP_TUNNEL_HOME must be an absolute path, not “${own}”`);
    return { data: path.join(own), config: path.join(own) };
  }
  const named = (variable: string, ...usual: string[]): string => env[variable] || path.join(homedir, ...usual);
  if (platform === 'win32') {
    return {
      data: path.join(named('LOCALAPPDATA', 'AppData', 'Local'), 'mcp-tunnel', 'Data'),
      config: path.join(named('APPDATA', 'AppData', 'Roaming'), 'mcp-tunnel', 'Config'),
    };
  }
  if (platform === 'darwin') {
    const library = path.join(homedir, 'Library');
    return {
      data: path.join(library, 'Application Support', 'mcp-tunnel'),
      config: path.join(library, 'Preferences', 'mcp-tunnel'),
    };
  }
  // A relative XDG folder is to be ignored, says its specification.
  const xdg = (variable: string, ...usual: string[]): string =>
    path.isAbsolute(env[variable] ?? '') ? (env[variable] as string) : path.join(homedir, ...usual);
  return {
    data: path.join(xdg('XDG_DATA_HOME', '.local', 'share'), 'mcp-tunnel'),
    config: path.join(xdg('XDG_CONFIG_HOME', '.config'), 'mcp-tunnel'),
  };
}

/** `folder`, or a short one of its own in the temporary folder when a socket's path there would be too long. */
function socketFolder(folder: string, temporary: string): string {
  const longest = posix.join(folder, `helper-${digest('')}.sock`);
  if (Buffer.byteLength(longest) <= maxSocketPathBytes) return folder;
  return posix.join(temporary, `mcp-tunnel-${digest(folder)}`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Policy files of the workspace's folders, which count only where the workspace is trusted. */
export function workspacePolicies(paths: StatePaths, folders: readonly string[], trusted: boolean): string[] {
  return trusted ? folders.map((folder) => paths.workspacePolicy(folder)) : [];
}
