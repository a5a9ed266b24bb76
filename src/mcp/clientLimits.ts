// How long clients wait for the answer to a call before they give up, by the name they give themselves. It is a stranger's
// word, so nothing but a deadline hangs on it.

/** What the SDKs wait where nobody says otherwise (TypeScript SDK, `DEFAULT_REQUEST_TIMEOUT_MSEC`). */
export const usualLimitMs = 60_000;

/** Clients that wait longer, by their own documentation. */
const PATIENT: readonly (readonly [prefix: string, limitMs: number])[] = [
  ['gemini-cli', 600_000],
  ['claude-code', 100_000_000],
];

export function clientLimitMs(agent: string): number {
  return PATIENT.find(([prefix]) => agent.startsWith(prefix))?.[1] ?? usualLimitMs;
}
