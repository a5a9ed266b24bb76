// What the helper offers whoever drives it: the extension over stdin/stdout, another process of the same user over
// the helper's Unix socket (named pipe on Windows). The CLI's own helper is called in process with the same names.
import type { ErrorInfo } from '../core/errors.ts';
import type { LaunchPlan, ServerList, ServerTransport } from '../core/server.ts';
import type { Breakpoint, HoldAnswer, Holds } from '../mcp/heldCall.ts';
import type { ServerPreview } from '../mcp/preview/preview.ts';
import type { InspectorNotifications, InspectorRequests } from './inspector.ts';

/** Raised when a change breaks older peers. */
export const controlVersion = 1;

// ── Destinations ───────────────────────────────────────────────────────────

/** Where a tunnel goes out to. */
export type Destination = { carrier: 'embedded' } | { carrier: 'edge'; host: string };

export type DestinationChoice = {
  destination: Destination;
  /** Absent when allowed; else what is missing, where, and whether the user may add it. */
  denied?: { reason: string; file: string; entry: string; mayAllow: boolean };
  /** For `edge`: whether this machine holds a certificate of it. */
  enrolled?: boolean;
};

// ── Tunnels ────────────────────────────────────────────────────────────────

export type TunnelState =
  | { kind: 'stopped' }
  | { kind: 'starting'; step: string }
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; sinceMs: number }
  | { kind: 'waiting'; retryAtMs: number; attempt: number; error: ErrorInfo }
  | { kind: 'failed'; error: ErrorInfo };

/** `end-to-end`: the relay sees only the hostname; `carrier-reads`: the carrier can read payloads. */
export type Privacy = 'end-to-end' | 'carrier-reads';

/** `name` is the agent's own word; `visitor` the address it called from last, as the carrier reports it. */
export type AgentSeen = {
  name: string;
  grant: { id: string; name: string };
  visitor: string;
  lastCallMs: number;
  calls: number;
  refused: number;
};

/** An agent that waits in a browser to be let in. Everything but `local` and `documentHost` was written by strangers. */
export type PendingPairing = {
  /** The client's own word. */
  name: string;
  /** Where the access would go. */
  redirectHost: string;
  /** It goes to a program on the browser's machine: the name proves nothing. */
  local: boolean;
  /** Host of the document that says the name; absent for a client that registered itself. */
  documentHost?: string;
  scopes: string[];
  untilMs: number;
  triesLeft: number;
  /** The policy has rules of its own for this name, and they would be the agent's: it may have chosen the name for them. */
  ruled?: true;
};

/** Until when agents may ask to be let in, and who asks just now. */
export type PairingWindow = { untilMs: number; pending?: PendingPairing };

export type PairingOutcome = 'approved' | 'denied' | 'wrong-number' | 'abandoned' | 'closed';

/**
 * The certificate that agents see at a tunnel: signed by this machine's own authority, by one that speaks ACME, or
 * brought along by the user.
 */
export type CertificateInfo = {
  kind: 'local' | 'acme' | 'own';
  expiresMs: number;
  /** What a person should know of it; it may hold words of the authority, made printable. */
  warning?: string;
  /** URI of the account at the authority, which a CAA record can name (RFC 8657). */
  account?: string;
};

/** Which one is asked for; this machine's own authority signs where nobody asks. */
export type WantedCertificate =
  | {
      kind: 'acme';
      /** URL of the authority's directory (RFC 8555 §7.1.1). */
      directory: string;
      /** A person agreed to the authority's terms of service. */
      agreedToTerms?: boolean;
      /** Where the authority may write to. */
      email?: string;
      /** PEM file of the CA that signed the ACME server's own certificate, where it is not a public one. */
      caFile?: string;
    }
  | { kind: 'own'; certificateFile: string; keyFile: string };

export type TunnelInfo = {
  id: string;
  server: { id: string; name: string; kind: 'stdio' | 'http' };
  destination: Destination;
  privacy: Privacy;
  state: TunnelState;
  /** Everything below is known once the tunnel was ready for the first time. */
  hostname?: string;
  url?: string;
  /** Only for `embedded`: for clients that cannot resolve `*.localhost`. */
  loopbackUrl?: string;
  /** PEM file of the CA that signed the tunnel's certificate, when it is not a public one. */
  caFile?: string;
  certificate?: CertificateInfo;
  /** What somebody should look after while the tunnel works still; it may hold words of the edge, made printable. */
  warning?: string;
  /** Only these addresses may connect: networks, `AS64500`, names of vendors; absent where anybody may. */
  allowFrom?: string[];
  /** Connections to the edge that carry the tunnel: how many are up, of how many; absent where there is one alone. */
  links?: { up: number; wanted: number };
  openedMs: number;
  /** Last answer that came through the public name, of any agent. */
  lastExchangeMs?: number;
  callsPerMinute: number;
  agents: AgentSeen[];
  /** Agents that asked to be let in while nobody was there to answer; absent where they cannot ask. */
  pairAttempts?: number;
  pairing?: PairingWindow;
};

/** What a new grant may do; absent lists mean everything the policy allows. */
export type GrantScope = {
  methods?: string[];
  tools?: string[];
  prompts?: string[];
  resources?: string[];
  readOnly?: boolean;
};

export type ServerRun = {
  /** `perSession` (default): each session has a process of its own; `shared`: all have one. */
  isolation?: 'perSession' | 'shared';
  /** Files, folders or patterns (`*`, `**`, `?`) relative to the server's folder: when they change it is started anew. */
  watch?: string[];
  /** Calls that only read, by the server's own word, are sent again after a restart; off by default. */
  replaysReads?: boolean;
};

export type OpenTunnel = {
  /** A server that discovery finds in `folders` (by id), or one given whole. */
  server: { id: string; folders: string[] } | { inline: { name: string; transport: ServerTransport } };
  destination: Destination;
  /** Wanted label of the hostname; made from the server's name when absent, and kept with the tunnel. */
  name?: string;
  /** Wanted loopback port of an embedded tunnel. */
  port?: number;
  /** Whose addresses may connect, over an edge: see `TunnelInfo`. Empty lets anybody; absent is as it was last time. */
  allowFrom?: string[];
  grant: { name: string; scope: GrantScope; expiresMs: number } | { none: true };
  /** How a stdio server is run. */
  run?: ServerRun;
  /** `kept`: as it was asked for when this server was last exposed under this name. */
  certificate?: WantedCertificate | { kind: 'kept' };
  /** Hash of the launch plan that a person agreed to; else an earlier agreement must exist. */
  consent?: string;
  /** `oauth`: agents that cannot be given a token may ask to be let in, by OAuth 2.1; so they may after `pair/open`. */
  auth?: {
    oauth?: boolean;
    /** The agent's `Authorization` is the server's own and passes to it; something else must say who the agent is. */
    upstream?: boolean;
  };
};

export type OpenedTunnel = {
  tunnel: TunnelInfo;
  /** Text of the grant that was minted; shown once, never stored by the helper. */
  token?: string;
  grant?: GrantInfo;
  readyMs: number;
};

// ── Inputs ─────────────────────────────────────────────────────────────────

/** `id` as the file calls the input; a `password` is hidden wherever it turns up. */
export type InputAnswer = { id: string; value: string; password?: boolean };

// ── Grants ─────────────────────────────────────────────────────────────────

export type GrantInfo = {
  id: string;
  name: string;
  scope: GrantScope & { servers: string[] };
  createdMs: number;
  expiresMs: number;
  revokedMs?: number;
  /** Of an agent that paired: the client it said to be, and where its access went. */
  paired?: { client: string; redirectHost: string };
  /** How it is recognised, where it has no token: by a secret in its URL, a certificate or a JWT. */
  way?: GrantWay;
};

/** `ca` is the fingerprint of the authority that signs (SHA-256, hex); `name` one that a certificate must have. */
export type GrantWay =
  | { kind: 'path-secret' }
  | { kind: 'certificate'; ca: string; name?: string }
  | { kind: 'jwt'; issuer: string; audience: string; jwks?: string; claims?: Record<string, string> };

/** As it is asked for: the authority as PEM, one root certificate. */
export type NewWay = Exclude<GrantWay, { kind: 'certificate' }> | { kind: 'certificate'; caPem: string; name?: string };

/** What a person says to an agent that waits; `number` is the one that the browser shows. */
export type PairAnswer =
  | { tunnel: string; number: string; name?: string; scope: GrantScope; expiresMs: number }
  | { tunnel: string; deny: true };

// ── Rules ──────────────────────────────────────────────────────────────────

/** One tool of a server, and what each agent that may reach the server may do with it. */
export type ToolRow = {
  name: string;
  /** It declares itself read-only; what does not, counts as writing. */
  readOnly: boolean;
  /** In the order of `ToolRules.agents`. */
  verdicts: ToolVerdict[];
};

/** `rule` names the file and place, or the grant, that decided; `conditional`: some arguments are refused. */
export type ToolVerdict =
  | { kind: 'allowed'; conditional?: true }
  | { kind: 'denied'; rule: string; reason: string; because: 'rule' | 'read-only' | 'grant' };

export type ToolRules = {
  /** As the server lists them now; asked of the server itself. */
  tools: ToolRow[];
  /** Live grants for this server. `readOnly`: by rule or grant. */
  agents: { grant: string; name: string; readOnly: boolean }[];
  /** Names in rules and grants that the server does not have: most likely a slip of the pen. */
  unknownNames: { rule: string; name: string }[];
};

/** A change of the user's policy file for one agent, by the name of its grant, or for all (`*`). */
export type RuleEdit = { agent: string } & ({ tool: string; access: 'allowed' | 'denied' } | { readOnly: boolean });

// ── Audit ──────────────────────────────────────────────────────────────────

/** What has to be kept where the log cannot be edited from, so that records cut from its end are missed. */
export type AuditHead = {
  /** The chain that this helper writes; `audit verify --helper` names it. */
  chain: string;
  /** Public key of its signatures, 64 hex digits. */
  key: string;
  /** Records so far, and the SHA-256 of the last one; `audit verify --head COUNT:HASH`. */
  count: number;
  hash: string;
};

/** What is wrong with one chain of the log, if anything is. */
export type AuditVerdict = { chain: string; records: number; problem?: string };

// ── The contract ───────────────────────────────────────────────────────────

/** An editor's own settings; they take the place of `HTTPS_PROXY` and `NO_PROXY`, each where it is present. */
export type EditorProxy = {
  /** May hold a password. */
  url?: string;
  noProxy?: string[];
  /** No proxy is to be used. */
  isOff?: true;
};

export type HelperRequests = InspectorRequests & {
  hello: {
    params: { version: number; trusted: boolean; folders: string[]; proxy?: EditorProxy };
    result: { version: number; helperId: string; product: string; pid: number; home: string };
  };
  'servers/list': { params: { folders: string[] }; result: ServerList };
  /** Looks for servers that run already, by asking programs of this user that listen; then as `servers/list`. */
  'servers/scan': { params: { folders: string[]; ports?: number[] }; result: ServerList };
  'servers/plan': {
    params: { id: string; folders: string[] };
    /** `agreed` when a person agreed to exactly this before; `previous` is the newest plan agreed to otherwise. */
    result: { plan: LaunchPlan; agreed: boolean; previous?: LaunchPlan };
  };
  /**
   * What a server offers, and what is worth knowing of it: it is started for that and ended again, or asked at its URL.
   * Taken from memory where the same definition was asked before, unless `refresh`. `consent` as for `tunnel/open`.
   */
  'servers/preview': {
    params: { server: OpenTunnel['server']; consent?: string; refresh?: boolean };
    result: { preview: ServerPreview };
  };
  /** Answers to the inputs of one file, in place of those before; kept in memory only. */
  'servers/answer': { params: { file: string; answers: InputAnswer[] }; result: null };
  /** Another command in place of the guess at how a project is started; without one the guess counts again. */
  'servers/command': {
    params: { id: string; folders: string[]; command?: { command: string; args: string[] } };
    result: null;
  };
  /** `edges` are hosts a person named, judged like those that the policy files name. */
  'destinations/list': { params: { edges?: string[] }; result: { choices: DestinationChoice[] } };
  'tunnel/open': { params: OpenTunnel; result: OpenedTunnel };
  'tunnel/close': { params: { tunnel: string }; result: null };
  /**
   * Whose addresses may connect from now on; who is inside and may not be so is cut off. Empty lets anybody. Kept with
   * the tunnel. Fails with `USAGE`, naming the entry, or with the edge's refusal; then everything is as it was.
   */
  'tunnel/allowFrom': { params: { tunnel: string; allowFrom: string[] }; result: null };
  /** Ends the server's processes and starts them anew; sessions stay. Fails with `USAGE` for one that is not run here. */
  'server/restart': { params: { tunnel: string }; result: null };
  'tunnel/list': { params: object; result: { tunnels: TunnelInfo[] } };
  'grants/list': { params: object; result: { grants: GrantInfo[] } };
  'grants/add': {
    params: { name: string; servers: string[]; scope: GrantScope; expiresMs: number };
    result: { grant: GrantInfo; token: string };
  };
  /** For an agent without a token. `path` is what its URL has in place of `/mcp`, with the secret in it; shown once. */
  'grants/addWay': {
    params: { name: string; servers: string[]; scope: GrantScope; expiresMs: number; way: NewWay };
    result: { grant: GrantInfo; path?: string };
  };
  /** The old text works for `overlapMs` more; for a path secret `token` is that. */
  'grants/rotate': { params: { id: string; overlapMs: number }; result: { grant: GrantInfo; token: string } };
  /**
   * Puts another scope (and another end) in place of the old; what is open and no longer allowed ends. Fails with `CONFLICT`
   * where the scope is no longer `before`, which is what the change was made from.
   */
  'grants/change': {
    params: {
      id: string;
      scope?: GrantScope & { servers?: string[] };
      expiresMs?: number;
      before?: GrantInfo['scope'];
    };
    result: { grant: GrantInfo };
  };
  'grants/revoke': { params: { id: string }; result: { grant: GrantInfo } };
  /** For five minutes agents may ask, one at a time; whatever becomes of one closes it. */
  'pair/open': { params: { tunnel: string }; result: PairingWindow };
  'pair/close': { params: { tunnel: string }; result: null };
  /** Fails with `CONFLICT` and `data.triesLeft` for a wrong number, with `NOT_FOUND` when nobody waits. */
  'pair/answer': { params: PairAnswer; result: null };
  /** From now on this driver can answer for calls that wait; when the last one that can has left, they are denied. */
  'holds/answering': { params: object; result: null };
  'holds/list': { params: object; result: Holds };
  /** Fails with `NOT_FOUND` when it waits no longer; with `USAGE` or `CONFLICT` for an edit that cannot be sent: it still waits. */
  'holds/answer': { params: { id: string; answer: HoldAnswer }; result: null };
  /** In place of those that this driver had set; they end with it. Fails with `USAGE`. */
  'holds/breakpoints': { params: { breakpoints: Breakpoint[] }; result: null };
  /** Fails with `UPSTREAM_*` when the server cannot be asked. */
  'rules/tools': { params: { tunnel: string }; result: ToolRules };
  /** Writes the user's policy file. Fails with `CONFLICT`, naming the rule, where another file or a pattern still denies. */
  'rules/edit': { params: RuleEdit; result: { file: string } };
  /** Writes the user's policy file. */
  'policy/allow': { params: { destination: Destination }; result: { file: string } };
  /** `null` before the first record. */
  'audit/head': { params: object; result: { head: AuditHead | null } };
  /** Checks every chain, against heads that were kept elsewhere. */
  'audit/verify': { params: { heads: AuditHead[] }; result: { chains: AuditVerdict[] } };
};

export type HelperNotifications = InspectorNotifications & {
  /** All tunnels, newest state; replaces what was sent before. */
  'tunnels/changed': { tunnels: TunnelInfo[] };
  /** All grants, whoever changed them; replaces what was sent before. */
  'grants/changed': { grants: GrantInfo[] };
  /** The newest head of the audit log, at most every 5 s; to be kept in place of the one before. */
  'audit/head': { head: AuditHead };
  /** An agent waits in a browser; also in `TunnelInfo.pairing`. */
  'pair/pending': { tunnel: string; pending: PendingPairing };
  /** It waits no longer. */
  'pair/ended': { tunnel: string; outcome: PairingOutcome; name: string };
  /** All calls that wait, and all breakpoints; replaces what was sent before. */
  'holds/changed': Holds;
  /** Files that discovery reads have changed. */
  'servers/changed': object;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; message: string };
};

/** What the helper offers its driver. */
export type HelperContract = {
  requests: HelperRequests;
  notifications: { 'trust/changed': { trusted: boolean }; 'proxy/changed': EditorProxy };
};

/** What the driver offers the helper. */
export type DriverContract = { requests: Record<string, never>; notifications: HelperNotifications };
