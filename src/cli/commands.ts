// Every command as a row: how it is called, what it says of itself, and the function behind it, loaded when called.
// A row's options and the type it hands them on as stand side by side; the parsers make one the other.
import { parseListenAddress } from '../core/hostname.ts';
import type { AgentsAddOptions } from './agents.ts';
import { certificateOptions } from './certificateOptions.ts';
import type { CommandRow, OptionRow } from './command.ts';
import { allowFromOption } from './allowFrom.ts';
import { edgeFrontOptions } from './edgeFront.ts';
import { edgeRegistryOptions } from './edgeRegistry.ts';
import { edgeData, edgeRunOptions } from './edgeRunOptions.ts';
import type { EdgeTokenOptions } from './edgeToken.ts';
import type { EnrollCommandOptions } from './enroll.ts';
import { auditHead, auditKey, duration, edgeHost, pin, port, ports, repeated } from './optionParsers.ts';
import { scopeOptions } from './scopeOptions.ts';
import { runOptions } from './serverRun.ts';
import { wayOptions } from './wayOptions.ts';

const tokenFile: OptionRow = { flags: '--token-file <file>', help: 'write the token there instead of printing it' };
const auditOf: OptionRow = { flags: '--helper <id>', help: 'only the log of this id, or the only one it begins' };

export const commands: readonly CommandRow[] = [
  {
    name: 'expose',
    arguments: '[name]',
    summary: 'run one tunnel in the foreground, until Ctrl-C; a name is one that “mcp-tunnel servers” lists',
    takesCommand: true,
    options: [
      { flags: '--url <url>', help: 'a server that listens on this machine' },
      { flags: '--carrier <kind>', help: 'embedded (this machine only) or edge', default: 'embedded' },
      { flags: '--edge <host[:port]>', help: 'the edge for --carrier edge', parse: edgeHost },
      { flags: '--name <label>', help: 'first label of the hostname (default: made from the server’s name)' },
      {
        flags: '--port <n>',
        help: 'loopback port of an embedded tunnel (default: the one it had last time)',
        parse: port,
      },
      allowFromOption,
      ...scopeOptions,
      {
        flags: '--expires <span>',
        help: 'how long the token works, like 30m, 8h or 7d',
        parse: duration,
        default: '8h',
      },
      { flags: '--policy <file>', help: 'one more policy file; it can only restrict' },
      tokenFile,
      {
        flags: '--health <host:port>',
        help: 'serve /healthz, /readyz and /metrics on this loopback address',
        parse: parseListenAddress,
      },
      {
        flags: '--drain <span>',
        help: 'told to end (SIGTERM), how long calls under way may take to finish',
        parse: duration,
        default: '10s',
      },
      {
        flags: '--ask <glob...>',
        help: 'tools whose calls wait until you answer on this terminal; without one they are denied (not with --oauth)',
        parse: repeated,
      },
      { flags: '--oauth', help: 'let agents that cannot be given a token ask, by OAuth; you answer on this terminal' },
      {
        flags: '--auth <whose>',
        help: 'whose an agent’s Authorization is: tunnel, or upstream: it passes to the server, and the token goes into MCP-Tunnel-Authorization',
        default: 'tunnel',
      },
      ...certificateOptions,
      ...runOptions,
      { flags: '--traffic', help: 'with --json: one event for each finished exchange' },
    ],
    examples: [
      'expose everything',
      'expose -- node server.js stdio',
      'expose --url http://localhost:3000/mcp',
      'expose --url http://localhost:3000/mcp --carrier edge --edge edge.example.com',
      'expose everything --carrier edge --edge edge.example.com --allow-from anthropic --allow-from 192.0.2.0/24',
      'expose everything --read-only --json',
      'expose --watch dist --watch server.js -- node server.js stdio',
      'expose everything --carrier edge --edge edge.example.com --acme --acme-agree-tos',
      'expose everything --ask "write_*" --ask delete',
      'expose everything --oauth --carrier edge --edge edge.example.com',
    ],
    run: async (context, [name], options) => (await import('./expose.ts')).expose(context, name, options),
  },
  {
    name: 'servers',
    arguments: '[dir]',
    summary: 'list the MCP servers that are configured for a folder, developed in it, or run already',
    options: [
      { flags: '--scan', help: 'also ask programs that listen, started in this folder, whether they are MCP servers' },
      { flags: '--scan-port <port...>', help: 'ask these ports, too, whatever is behind them', parse: ports },
    ],
    examples: ['servers', 'servers ~/work/project --json', 'servers --scan'],
    run: async (context, [dir], options) => (await import('./servers.ts')).servers(context, dir, options),
  },
  {
    name: 'preview',
    arguments: '[name]',
    summary:
      'run or ask a server once and show what it offers: tools, tokens, what clients refuse, what looks suspicious',
    takesCommand: true,
    options: [
      { flags: '--url <url>', help: 'a server that listens on this machine' },
      { flags: '--refresh', help: 'ask again, also where the same definition was asked before' },
      { flags: '--policy <file>', help: 'one more policy file; it can only restrict' },
    ],
    examples: ['preview everything', 'preview everything --refresh --json', 'preview -- npx -y some-server'],
    run: async (context, [name], options) => (await import('./preview.ts')).preview(context, name, options),
  },
  {
    name: 'agents add',
    arguments: '<name>',
    summary: 'let an agent in and print its token, or what it gets in place of one, once',
    options: [
      {
        flags: '--server <name...>',
        help: 'servers it may reach, of those defined here (default: any)',
        parse: repeated,
      },
      ...scopeOptions,
      { flags: '--expires <span>', help: 'how long it may call, like 30m, 8h or 7d', parse: duration, default: '7d' },
      ...wayOptions,
      {
        flags: '--token-file <file>',
        help: 'write the token, or the URL with the secret, there instead of printing it',
      },
    ],
    examples: [
      'agents add claude --server everything --tools "get-*" --expires 8h --token-file token.txt',
      'agents add webhook --path-secret --token-file url.txt',
      'agents add build --client-ca ca.pem --client-name build.example.com',
      'agents add ci --jwt-issuer https://issuer.example.com --jwt-audience mcp-tunnel --jwt-claim repository=acme/app',
    ],
    run: async (context, [name], options) =>
      (await import('./agents.ts')).agentsAdd(context, name, options as unknown as AgentsAddOptions),
  },
  {
    name: 'agents list',
    summary: 'show who may call what, and until when',
    options: [{ flags: '--all', help: 'those, too, that were revoked or have expired' }],
    examples: ['agents list', 'agents list --all'],
    run: async (context, _args, options) => (await import('./agents.ts')).agentsList(context, options),
  },
  {
    name: 'agents change',
    arguments: '<agent>',
    summary: 'let an agent do more or less, for longer or shorter; what is open and no longer allowed ends',
    options: [
      { flags: '--all', help: 'drop the lists it has: all that the policy allows, or what the options after it name' },
      ...scopeOptions,
      { flags: '--no-read-only', help: 'tools that may change something, too' },
      { flags: '--server <name...>', help: 'servers it may reach instead, of those defined here', parse: repeated },
      { flags: '--expires <span>', help: 'how long it may call from now on', parse: duration },
    ],
    examples: [
      'agents change claude --tools echo "get-*" --expires 2h',
      'agents change claude --read-only',
      'agents change claude --all --no-read-only',
    ],
    run: async (context, [agent], options) => (await import('./agents.ts')).agentsChange(context, agent, options),
  },
  {
    name: 'agents rotate',
    arguments: '<agent>',
    summary: 'give an agent a new token',
    options: [
      { flags: '--overlap <span>', help: 'how long the old token still works', parse: duration, default: '10m' },
      tokenFile,
    ],
    examples: ['agents rotate claude --overlap 1h'],
    run: async (context, [agent], options) =>
      (await import('./agents.ts')).agentsRotate(context, agent, options as { overlap: number; tokenFile?: string }),
  },
  {
    name: 'agents revoke',
    arguments: '<agent>',
    summary: 'end an agent’s access at once',
    options: [],
    examples: ['agents revoke claude'],
    run: async (context, [agent]) => (await import('./agents.ts')).agentsRevoke(context, agent),
  },
  {
    name: 'allow add',
    arguments: '<what> [host]',
    summary:
      'let tunnels go to a destination: embedded, or edge HOST[:PORT]; or let something be looked up: client-metadata HOST (agents that pair), jwks HOST (keys of an issuer of JWTs), acme HOST (an authority for certificates), proxy HOST:PORT (the way out, HTTPS_PROXY)',
    options: [{ flags: '--pin <pin>', help: 'only while the edge has this key (sha256/…)', parse: pin }],
    examples: [
      'allow add edge edge.example.com:443',
      'allow add embedded',
      'allow add client-metadata claude.ai',
      'allow add jwks issuer.example.com',
      'allow add proxy proxy.example.com:3128',
      'allow add acme acme-v02.api.letsencrypt.org',
    ],
    run: async (context, words, options) => (await import('./allow.ts')).allowAdd(context, words, options),
  },
  {
    name: 'allow list',
    summary: 'show where tunnels may go, and which file says so',
    options: [],
    examples: ['allow list --json'],
    run: async (context) => (await import('./allow.ts')).allowList(context),
  },
  {
    name: 'allow remove',
    arguments: '<what> [host]',
    summary: 'take back what “allow add” allowed; tunnels that go there end',
    options: [],
    examples: ['allow remove edge edge.example.com:443'],
    run: async (context, words) => (await import('./allow.ts')).allowRemove(context, words),
  },
  {
    name: 'edge run',
    summary: 'run an edge in the foreground, until Ctrl-C; SIGTERM lets visitors finish, SIGHUP reads --config anew',
    options: [...edgeRunOptions, ...edgeFrontOptions, ...edgeRegistryOptions],
    examples: [
      'edge run --domain edge.example.com',
      'edge run --config /etc/mcp-tunnel/edge.yaml --log json --health 127.0.0.1:9464',
      'edge run --domain edge.localhost --listen 127.0.0.1:8443 --data ./edge',
    ],
    run: async (context, _args, options) => (await import('./edgeRun.ts')).edgeRun(context, options),
  },
  {
    name: 'edge config',
    summary: 'check a file of settings for “edge run --config”, or print what may be in one',
    options: [
      { flags: '--check <file>', help: 'say whether it is right, and if not, where and why; exit code 2' },
      { flags: '--schema', help: 'print the JSON Schema of such a file' },
    ],
    examples: ['edge config --check edge.yaml', 'edge config --schema > edge.schema.json'],
    run: async (context, _args, options) => (await import('./edgeConfigVerb.ts')).edgeConfig(context, options),
  },
  {
    name: 'edge status',
    summary: 'show how the running edge is; exit code 0 when it is ready',
    options: [edgeData],
    examples: ['edge status --json'],
    run: async (context, _args, options) => (await import('./edgeVerbs.ts')).edgeStatus(context, options),
  },
  {
    name: 'edge token',
    summary: 'make a one-time token that enrols one machine',
    options: [
      { flags: '--label <glob...>', help: 'names that machine may use (default: any)', parse: repeated },
      { flags: '--connector <id>', help: 'enrol this connector again, whose certificate is lost; it keeps its names' },
      { flags: '--list', help: 'make none; list those that nobody has spent' },
      { flags: '--expires <span>', help: 'how long the token works', parse: duration, default: '1h' },
      tokenFile,
      edgeData,
    ],
    examples: ['edge token --label "ada-*" --expires 1h --token-file token.txt', 'edge token --list'],
    run: async (context, _args, options) =>
      (await import('./edgeToken.ts')).edgeToken(context, options as unknown as EdgeTokenOptions),
  },
  {
    name: 'edge routes',
    summary: 'show which connector owns and serves which name',
    options: [edgeData],
    examples: ['edge routes --json'],
    run: async (context, _args, options) => (await import('./edgeVerbs.ts')).edgeRoutes(context, options),
  },
  {
    name: 'edge revoke',
    arguments: '<id>',
    summary: 'cut a connector off at once and free its names, or make an unspent token worthless',
    options: [edgeData],
    examples: ['edge revoke 0123456789abcdef01234567', 'edge revoke token-0123456789abcdef'],
    run: async (context, [id], options) => (await import('./edgeVerbs.ts')).edgeRevoke(context, id, options),
  },
  {
    name: 'edge transfer',
    arguments: '<label> <connector>',
    summary: 'give a name to a connector, whosever it is now',
    options: [edgeData],
    examples: ['edge transfer everything 0123456789abcdef01234567'],
    run: async (context, names, options) => (await import('./edgeVerbs.ts')).edgeTransfer(context, names, options),
  },
  {
    name: 'edge release',
    arguments: '<label>',
    summary: 'take a name from the connector that owns it',
    options: [edgeData],
    examples: ['edge release everything'],
    run: async (context, [label], options) => (await import('./edgeVerbs.ts')).edgeRelease(context, label, options),
  },
  {
    name: 'enroll',
    arguments: '<edge>',
    summary: 'get this machine’s certificate for an edge',
    options: [
      { flags: '--token-file <file>', help: 'file with the token, - for standard input', required: true },
      { flags: '--pin <pin>', help: 'the edge’s key, as “edge run” printed it (sha256/…)', parse: pin },
      { flags: '--ca <file>', help: 'PEM of the CA that signed the edge’s certificate' },
      { flags: '--address <host>', help: 'where to connect when the domain is not in DNS' },
    ],
    examples: ['enroll edge.example.com --token-file token.txt --pin sha256/…'],
    run: async (context, [edge], options) =>
      (await import('./enroll.ts')).enroll(context, edge, options as unknown as EnrollCommandOptions),
  },
  {
    name: 'audit verify',
    summary: 'check that the logs are what was written; exit code 3 when one is not',
    options: [
      auditOf,
      {
        flags: '--head <count:hash>',
        help: 'where the log ended when it was looked at before: shows whether its end was cut',
        parse: auditHead,
      },
      { flags: '--key <hex>', help: 'the public key that must have signed (default: this machine’s)', parse: auditKey },
    ],
    examples: ['audit verify', 'audit verify --helper 3f2a91c0 --head 1204:9c1e…'],
    run: async (context, _args, options) => (await import('./auditVerify.ts')).auditVerify(context, options),
  },
  {
    name: 'audit show',
    summary: 'print what happened, from all logs in the order of time',
    options: [
      auditOf,
      { flags: '--since <time>', help: 'a span back from now (2h, 3d) or a date and time' },
      { flags: '--follow', help: 'go on with what happens, until Ctrl-C' },
    ],
    examples: ['audit show --since 1h --follow', 'audit show --json | jq .record'],
    run: async (context, _args, options) => (await import('./auditShow.ts')).auditShow(context, options),
  },
  {
    name: 'audit export',
    summary: 'print the logs as JSON lines, with what is needed to check them elsewhere',
    options: [auditOf],
    examples: ['audit export > audit.jsonl'],
    run: async (context, _args, options) => (await import('./auditExport.ts')).auditExport(context, options),
  },
  {
    name: 'demo',
    summary: 'the whole product on this machine: real server, real client, printed traffic',
    options: [{ flags: '--once', help: 'end when everything was shown; the exit code says whether it worked' }],
    examples: ['demo', 'demo --once'],
    run: async (context, _args, options) =>
      (await import('./demo.ts')).demo(context, options, await import('./demoAgent.ts')),
  },
];
