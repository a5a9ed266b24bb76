// A program of this user that listens on loopback: what may be an MCP server that is running already. One interface over
// the three ways in which systems tell.
export type Listener = {
  /** `127.0.0.1`, `::1`, or the wildcard of a family. */
  address: string;
  port: number;
  pid: number;
  /** Folder of the process, where the system tells it. */
  cwd?: string;
  /** Its command line, where the system tells it, cut at a bound. */
  command?: string;
};

/** Listeners of one look; the rest is left out. */
export const maxListeners = 512;

/** Characters of a command line that are kept. */
export const maxCommandLength = 400;

/** Reachable over loopback: bound to it, or to every address. */
export function isLocal(address: string): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|0\.0\.0\.0|::|\*)$/.test(address);
}
