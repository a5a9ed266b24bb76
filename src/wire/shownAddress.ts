/** The address is for people and counters; what the edge sends and is none is not shown as one. */
export function shownAddress(sent: unknown): string {
  return typeof sent === 'string' && /^[0-9a-fA-F.:[\]%]{3,64}$/.test(sent) ? sent : 'unknown';
}
