// An MCP server as this machine knows it: how it is reached or started, where its definition stands, and what a person
// is shown before it runs. What discovery finds, the helper runs and a tree shows.

/** How an MCP server is reached or started, with every variable resolved as far as it can be without asking. */
export type ServerTransport =
  | { kind: 'stdio'; command: string; args: string[]; env: Record<string, string | null>; cwd: string }
  | { kind: 'http'; url: string; headers: Record<string, string> };

/** Whose configuration declares it; `command-line` for one that was given whole. */
export type ServerFormat =
  | 'amazon-q'
  | 'antigravity'
  | 'claude-code'
  | 'claude-desktop'
  | 'cline'
  | 'codex'
  | 'command-line'
  | 'continue'
  | 'copilot'
  | 'cursor'
  | 'fastmcp'
  | 'fx'
  | 'gemini'
  | 'goose'
  | 'grok'
  | 'jetbrains'
  | 'kilo'
  | 'kimi'
  | 'kiro'
  | 'lm-studio'
  | 'mastra'
  | 'mcpb'
  | 'mcporter'
  | 'opencode'
  | 'pi'
  | 'project'
  | 'registry'
  | 'roo'
  | 'running'
  | 'smithery'
  | 'vscode'
  | 'windsurf'
  | 'zed';

/** Where a server's definition stands: in the workspace, or among what the user has for every workspace. `line` counts from 1. */
export type ServerSource = { format: ServerFormat; scope?: 'workspace' | 'user'; file?: string; line?: number };

export type DiscoveredServer = {
  /** Stable: made from file and name. */
  id: string;
  name: string;
  source: ServerSource;
  /** Other files that declare the very same server. */
  alsoIn?: ServerSource[];
  transport: ServerTransport;
  /** No file declares it: it is developed here, and its command is our guess, or (`edited`) what a person wrote in its place. */
  guess?: { reason: string; confidence: 'high' | 'medium' | 'low'; edited?: true };
  /** It listens already. */
  running?: { pid: number; era: 'legacy' | 'modern' | 'sse'; cwd?: string; command?: string; needsAuth?: true };
  /** Something that keeps it from being exposed as it is (an unresolved `${input:key}`, `disabled`). */
  problem?: string;
  /** What its file asks a person for, where nothing else is in the way: with the answers there is no problem. */
  needs?: ServerInput[];
  /** Some of what its file asks for was answered. */
  answered?: true;
  /** Secrets that stand in its file in plain text: where (`env API_KEY`), and whether git keeps the file. */
  secrets?: { where: string[]; committed: boolean };
};

/** A value that a file leaves to whoever uses it. `options`: one of these, by their values. */
export type ServerInput = {
  id: string;
  description?: string;
  /** Must not be shown while it is typed, nor in any text. */
  password?: true;
  default?: string;
  options?: { label: string; value: string }[];
};

/** A file, or a part of one, that could not be read. The others are still listed. */
export type DiscoveryProblem = { file: string; line?: number; column?: number; message: string };

export type ServerList = { servers: DiscoveredServer[]; problems: DiscoveryProblem[] };

/** What will run, as a person is shown it before agreeing. Values of env and headers are not in it, but for `loads`. */
export type LaunchPlan = {
  /** SHA-256 over everything below, values of env and headers included; hex. */
  hash: string;
  server: string;
  command?: string;
  args?: string[];
  envNames?: string[];
  /** The variables among them by which other code is loaded, with their values: they are part of what is run. */
  loads?: Record<string, string>;
  cwd?: string;
  url?: string;
  headerNames?: string[];
};
