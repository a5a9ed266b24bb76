// What a failure looks like: one sentence that says what happened, what the error knows beside it, one that helps.
// Never a stack trace; `MCP_TUNNEL_DEBUG=1` puts it on stderr for whoever hunts a fault of ours.
import { inspect } from 'node:util';
import { advice } from '../core/advice.ts';
import { errorInfo, type ErrorInfo } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { exitCodeOf, type ExitCode } from './exitCodes.ts';
import type { Output } from './output.ts';

/** Last lines of a server's stderr that are shown. */
export const maxStderrLines = 20;

/** Reports on both outputs and says with which code the process ends. */
export function reportFailure(error: unknown, output: Output, debug: boolean): ExitCode {
  const info = errorInfo(error);
  const exitCode = exitCodeOf[info.code];
  const help = advice[info.code];
  output.event({ event: 'error', code: info.code, message: info.message, advice: help, exitCode, ...detail(info) });

  output.log({ text: 'error: ', style: 'red' }, info.message);
  for (const line of stderrLines(info.data?.['stderr'])) output.log({ text: `  │ ${line}`, style: 'dim' });
  const place = placeOf(info);
  if (place) output.log(`  ${place}`);
  output.log(`  ${help}`);
  if (debug) output.log({ text: inspect(error, { depth: 5 }), style: 'dim' });
  return exitCode;
}

function detail({ data }: ErrorInfo): { data?: JsonValue } {
  return data ? { data } : {};
}

/** The file the error speaks of, where its message does not name it already, and the entry that is missing there. */
function placeOf({ message, data }: ErrorInfo): string | undefined {
  const { file, line, column, entry } = data ?? {};
  if (typeof file !== 'string') return undefined;
  const place = [file, line, column].filter((part) => typeof part === 'string' || typeof part === 'number').join(':');
  if (entry !== undefined) return `${place} lacks ${typeof entry === 'string' ? entry : JSON.stringify(entry)}`;
  return message.includes(file) ? undefined : place;
}

function stderrLines(stderr: JsonValue | undefined): string[] {
  const lines = Array.isArray(stderr) ? stderr.map(String) : typeof stderr === 'string' ? stderr.split('\n') : [];
  return lines.filter((line) => line.trim() !== '').slice(-maxStderrLines);
}
