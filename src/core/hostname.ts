// Hostnames of tunnels: one label under the edge's domain (RFC 1123 letters, digits, hyphens).
import { TunnelError } from './errors.ts';
import type { Random } from './clock.ts';

/** Longest label DNS allows (RFC 1035 §2.3.4). */
export const maxLabelLength = 63;

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const RESERVED: ReadonlySet<string> = new Set(['connect', 'enroll', 'www']);

/** Why `label` cannot be a tunnel's name, or `undefined` when it can. */
export function labelProblem(label: string): string | undefined {
  if (label.length === 0) return 'a name is needed';
  if (label.length > maxLabelLength) return `a name has at most ${maxLabelLength} characters`;
  if (!LABEL.test(label)) return 'a name has only a-z, 0-9 and hyphens, and no hyphen at an end';
  if (label.startsWith('xn--')) return 'names that start with xn-- are reserved';
  if (RESERVED.has(label)) return `the name ${label} is reserved`;
  return undefined;
}

/** A fresh label for a server: its name made fit for DNS, and four random characters (`everything-x7k2`). */
export function makeLabel(serverName: string, random: Random): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const stem = serverName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  const suffix = Array.from({ length: 4 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
  return `${stem || 'server'}-${suffix}`;
}

export type HostPort = { host: string; port: number };

/** `host`, `host:port`, `[v6]:port` → its parts. Throws `USAGE` naming the text. */
export function parseHostPort(text: string, defaultPort: number): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s?#%\\]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (!host || port < 1 || port > 65_535) throw new TunnelError('USAGE', `“${text}” is not a host or host:port`);
  return { host: host.toLowerCase(), port };
}

/** The other direction of {@link parseHostPort}; IPv6 gets its brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where to listen: `host[:port]`; port 0 takes any that is free. Throws `USAGE`. */
export function parseListenAddress(text: string): HostPort {
  const anyPort = /^(.+):0$/.exec(text);
  return anyPort?.[1] ? { ...parseHostPort(anyPort[1], 1), port: 0 } : parseHostPort(text, 443);
}

/** A DNS name of at least two labels, in lower case; `*.localhost` serves one machine. Throws `USAGE`. */
export function parseDomain(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
  if (name.length <= 200 && new RegExp(`^${label}(?:\\.${label})+$`).test(name) && !/^[\d.]+$/.test(name)) return name;
  throw new TunnelError('USAGE', `“${text.slice(0, 200)}” is not a domain; write for example edge.example.com`);
}
