// What a failure looks like: one sentence that says what happened, what the error knows beside it, one that helps.
// Never a stack trace; `MCP_TUNNEL_DEBUG=1` puts it on stderr for whoever hunts a fault of ours.
import { inspect } from 'node:util';
import { advice } from '../core/advice.ts';
import { errorInfo, type ErrorInfo } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { DestinationEntry } from '../policy/policySchema.ts';
import { exitCodeOf, type ExitCode } from './exitCodes.ts';
import type { Output } from './output.ts';

/** Last lines of a server's stderr that are shown. */
export const maxStderrLines = 20;

/** Reports on both outputs and says with which code the process ends. `help` is the command whose help would say more. */
export function reportFailure(error: unknown, output: Output, debug: boolean, help = 'mcp-tunnel --help'): ExitCode {
  const info = errorInfo(error);
  const exitCode = exitCodeOf[info.code];
  const told = adviceFor(info, help);
  const said = told ?? advice[info.code];
  output.event({ event: 'error', code: info.code, message: info.message, advice: said, exitCode, ...detail(info) });

  output.log({ text: 'error: ', style: 'red' }, info.message);
  for (const line of stderrLines(info.data?.['stderr'])) output.log({ text: `  │ ${line}`, style: 'dim' });
  const place = placeOf(info);
  if (place) output.log(`  ${place}`);
  if (told !== undefined) output.log(`  ${told}`);
  if (debug) output.log({ text: inspect(error, { depth: 5 }), style: 'dim' });
  return exitCode;
}

function detail({ data }: ErrorInfo): { data?: JsonValue } {
  return data ? { data } : {};
}

/** What helps on a command line, as exactly as the error knows it; `undefined` where its message says it already. */
function adviceFor({ code, message, data }: ErrorInfo, help: string): string | undefined {
  if (code === 'NOT_FOUND' || code === 'CONFLICT') return undefined;
  if (code === 'USAGE') return message.includes('--help') ? undefined : `“${help}” shows how it is written.`;
  if (code === 'DESTINATION_DENIED' && data?.['mayAllow'] === true) {
    const words = allowWords(data['entry']);
    if (words) return `Allow it with “mcp-tunnel allow add ${words}”.`;
  }
  return advice[code];
}

/** `edge edge.example.com:443` for the entry that a policy file lacks. */
function allowWords(entry: JsonValue | undefined): string | undefined {
  if (typeof entry !== 'string' || !entry.startsWith('{')) return undefined;
  const { carrier, service, host } = JSON.parse(entry) as DestinationEntry;
  if (service !== undefined) return `${service} ${host ?? ''}`;
  return carrier === 'edge' ? `edge ${host ?? ''}` : carrier === 'embedded' ? carrier : undefined;
}

/** The file the error speaks of, where its message does not name it already, and the entry that is missing there. */
function placeOf({ code, message, data }: ErrorInfo): string | undefined {
  const { file, line, column, entry } = data ?? {};
  if (typeof file !== 'string') return undefined;
  const place = [file, line, column].filter((part) => typeof part === 'string' || typeof part === 'number').join(':');
  if (typeof entry === 'string' && message.includes(file) && message.includes(entry)) return undefined;
  if (entry !== undefined && code !== 'POLICY_INVALID')
    return `${place} lacks ${typeof entry === 'string' ? entry : JSON.stringify(entry)}`;
  return message.includes(file) ? undefined : place;
}

function stderrLines(stderr: JsonValue | undefined): string[] {
  const lines = Array.isArray(stderr) ? stderr.map(String) : typeof stderr === 'string' ? stderr.split('\n') : [];
  return lines.filter((line) => line.trim() !== '').slice(-maxStderrLines);
}
