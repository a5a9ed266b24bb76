// `mcp-tunnel audit show`: what happened, from all logs in the order of time, and with `--follow` what happens.
import { readRecords, type Entry, type Progress } from '../audit/readRecords.ts';
import { delay } from '../core/clock.ts';
import { parseDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { chooseChains } from './auditChains.ts';
import { auditLine } from './auditLine.ts';
import type { CommandContext } from './command.ts';
import { untilAborted } from './untilAborted.ts';

/** How often `--follow` looks. */
const followMs = 250;

/** Entries between two looks at whether the reader of stdout keeps up. */
const pageSize = 500;

export type AuditShowOptions = { helper?: string; since?: string; follow?: boolean };

/** Throws `USAGE`, `NOT_FOUND`. */
export async function auditShow(context: CommandContext, options: AuditShowOptions): Promise<void> {
  const { clock, signal } = context;
  const sinceMs = options.since === undefined ? -Infinity : moment(options.since, clock.now());
  const progress: Progress = new Map();
  const show = (): Promise<void> => showNew(context, options.helper, sinceMs, progress);
  if (!options.follow) return show();

  const awake = untilAborted(signal); // The clock's timers do not keep the process alive.
  while (!signal.aborted) {
    await show().catch((error: unknown) => {
      // A log may begin later.
      if (!(error instanceof TunnelError) || error.code !== 'NOT_FOUND') throw error;
    });
    await delay(clock, followMs, signal).catch(() => {}); // Aborted: asked above.
  }
  await awake;
}

/** A span of time back from now, or a date and time (ISO 8601). */
export function moment(text: string, nowMs: number): number {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const atMs = Date.parse(text);
    if (!Number.isNaN(atMs)) return atMs;
  }
  try {
    return nowMs - parseDuration(text);
  } catch (cause) {
    const message = `--since: “${text.slice(0, 40)}” is no time; write for example 2h, 3d or 2026-01-31T08:00:00Z`;
    throw new TunnelError('USAGE', message, { cause });
  }
}

async function showNew(
  context: CommandContext,
  helper: string | undefined,
  sinceMs: number,
  progress: Progress,
): Promise<void> {
  const { output, paths, signal } = context;
  let shown = 0;
  for await (const entry of readRecords(paths.auditFolder, await chooseChains(context, helper), progress)) {
    if (signal.aborted) return;
    if (entry.atMs < sinceMs) continue;
    output.event(asEvent(entry));
    output.line(...auditLine(entry));
    shown += 1;
    if (shown % pageSize === 0) await output.flush();
  }
}

function asEvent({ chain, line }: Entry): object {
  if (line.record) return { event: 'record', chain, record: line.record.fields };
  return { event: 'not-a-record', chain, file: line.file, line: line.number };
}
