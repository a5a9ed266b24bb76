// The environment of a server's process: what this process has, changed as the server's definition says, and without
// what belongs to our own host or must stay with us.

/** `null` takes a variable away (VS Code's format). */
export type DeclaredEnvironment = Readonly<Record<string, string | null>>;

/** What the extension host sets for its own processes; a Node server would take it for its own. */
const HOSTS_OWN: ReadonlySet<string> = new Set(['ELECTRON_RUN_AS_NODE', 'NODE_OPTIONS', 'NODE_CHANNEL_FD']);
/** Tokens and folders of this product. */
const OURS = 'MCP_TUNNEL_';

export function serverEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  declared: DeclaredEnvironment,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  // Windows has one variable for PATH and Path: the last name given wins.
  const fold = (name: string): string => (platform === 'win32' ? name.toUpperCase() : name);
  const merged = new Map<string, [name: string, value: string]>();
  for (const [name, value] of Object.entries(inherited)) {
    const folded = name.toUpperCase();
    if (value === undefined || HOSTS_OWN.has(folded) || folded.startsWith(OURS)) continue;
    merged.set(fold(name), [name, value]);
  }
  for (const [name, value] of Object.entries(declared)) {
    if (name.toUpperCase() === 'ELECTRON_RUN_AS_NODE') continue;
    if (value === null) merged.delete(fold(name));
    else merged.set(fold(name), [name, value]);
  }
  return Object.fromEntries(merged.values());
}
