// How one client writes its servers down, as data: where they stand in the file and what their fields are called.
// `readServers.ts` reads every client by such a description; `formats.ts` lists them.

export type ServerDialect = {
  /** Where the servers stand: every place is looked at. `{ folder: true }` stands for the path of a workspace folder. */
  at: readonly (readonly (string | { folder: true })[])[];
  /** `list`: each server says its own `name`. */
  shape?: 'by-name' | 'list';
  command?: CommandForm;
  names?: Partial<FieldNames>;
  /** Numbers, booleans and `null` (unset) count as values of the environment. */
  looseEnv?: boolean;
  /** What an entry without a type is that has a URL; `http` when absent. A field of its own may say more. */
  untypedUrl?: 'http' | 'sse';
  /** Values of `type` or `source` that name something else than an MCP server of its own: left out without a word. */
  foreign?: readonly string[];
  /** How an entry without a `command` says that it is one; `type` when absent. */
  typeField?: 'type' | 'transport';
};

/** `text`: one word, arguments beside it. `list`: the whole line. `text-or-object`: also `{ path, args, env }`. */
export type CommandForm = 'text' | 'list' | 'text-or-object';

export type FieldNames = {
  command: string;
  env: string;
  /** The first that is there counts. */
  urls: readonly string[];
  /** Path of the object that holds the headers. */
  headers: readonly string[];
  /** Name of an environment variable whose value is the bearer token. */
  bearerTokenEnv: string;
  /** Header names with names of environment variables. */
  envHeaders: string;
};

export const commonNames: FieldNames = {
  command: 'command',
  env: 'env',
  urls: ['url'],
  headers: ['headers'],
  bearerTokenEnv: '',
  envHeaders: '',
};

/** What clients call the transports. */
export const transportNames: Readonly<Record<string, 'stdio' | 'http' | 'sse' | 'ws'>> = {
  stdio: 'stdio',
  local: 'stdio',
  http: 'http',
  remote: 'http',
  'streamable-http': 'http',
  streamable_http: 'http',
  streamableHttp: 'http',
  sse: 'sse',
  ws: 'ws',
};
