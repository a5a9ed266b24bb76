// The words of `edge run`. None has a usual value here: a word wins over edge.yaml, and what is usual does not.
import { parseDomain, parseListenAddress } from '../core/hostname.ts';
import { logLevels } from '../edge/edgeLog.ts';
import type { OptionRow } from './command.ts';
import { duration, oneOf } from './optionParsers.ts';

export const edgeData: OptionRow = {
  flags: '--data <dir>',
  help: 'folder of the edge’s data (default: one in your state folder)',
};

export const edgeRunOptions: readonly OptionRow[] = [
  { flags: '--config <file>', help: 'settings as YAML (see “edge config”); what is said here wins over it' },
  { flags: '--domain <domain>', help: 'tunnels get names below it; kept after the first run', parse: parseDomain },
  {
    flags: '--listen <host[:port]>',
    help: 'the one port of the edge (default: 0.0.0.0:443)',
    parse: parseListenAddress,
  },
  edgeData,
  {
    flags: '--cert <file>',
    help: 'PEM certificate for connect. and enroll.<domain>; without it, its own CA makes one',
  },
  { flags: '--key <file>', help: 'PEM key of --cert' },
  {
    flags: '--health <host:port>',
    help: 'serve /healthz, /readyz and /metrics on this loopback address',
    parse: parseListenAddress,
  },
  { flags: '--log <format>', help: 'lines on stderr as text or json (default: text)', parse: oneOf('text', 'json') },
  {
    flags: '--log-level <level>',
    help: `the least that is logged: ${logLevels.join(', ')} (default: info)`,
    parse: oneOf(...logLevels),
  },
  {
    flags: '--drain <span>',
    help: 'told to end (SIGTERM), how long visitors may take to finish (default: 10s)',
    parse: duration,
  },
  {
    flags: '--drain-lead <span>',
    help: 'before that, how long it takes visitors though it says that it is not ready (default: none)',
    parse: duration,
  },
];
