// An edge's log that a test can read.
import type { EdgeLog } from '../../src/edge/edgeLog.ts';

/** Puts each message into `lines`, whatever its level. */
export function recordingLog(lines: string[]): EdgeLog {
  const say = (_event: string, message: string): void => void lines.push(message);
  return { debug: say, info: say, warn: say, error: say };
}
