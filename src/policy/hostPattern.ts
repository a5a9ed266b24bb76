// Hosts and ports in policy files. `*` stands for one label or a part of one, as in certificates (RFC 6125 §6.4.3);
// `**` for one label or more; `*` alone for every host. The port is a number or `*`.
import { matchesGlob } from './glob.ts';

export type HostPattern = { host: string; port: number | '*' | undefined };

const SHAPE = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::(\*|\d{1,5}))?$/i;
const LABEL = /^[a-z0-9_*-]{1,63}$/;

/** `undefined` for text that is no host pattern. Lower case, IPv6 without its brackets. */
export function parseHostPattern(text: string): HostPattern | undefined {
  const [, v6, name, portText] = SHAPE.exec(text) ?? [];
  const host = (v6 ?? name)?.toLowerCase();
  if (host === undefined) return undefined;
  const labels = v6 === undefined ? host.split('.') : [];
  if (!labels.every((label) => LABEL.test(label)) || labels.filter((label) => label === '**').length > 1)
    return undefined;
  if (portText === undefined || portText === '*') return { host, port: portText };
  const port = Number(portText);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** Whether `pattern` covers `target` (`host`, `host:port`, `[v6]:port`); either side without a port means `defaultPort`. */
export function coversHostPort(pattern: string, target: string, defaultPort: number): boolean {
  const wanted = parseHostPattern(pattern);
  const dialled = parseHostPattern(target);
  if (!wanted || !dialled || dialled.host.includes('*') || dialled.port === '*') return false;
  const portIsRight = wanted.port === '*' || (wanted.port ?? defaultPort) === (dialled.port ?? defaultPort);
  return portIsRight && coversHost(wanted.host, dialled.host);
}

export function coversHost(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  if (host.includes(':')) return pattern === host;
  return coversLabels(pattern.split('.'), host.toLowerCase().split('.'));
}

function coversLabels(pattern: readonly string[], labels: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return labels.length === 0;
  if (labels.length === 0) return false;
  if (first !== '**') return matchesGlob(first, labels[0]!) && coversLabels(rest, labels.slice(1));
  return labels.some((_, index) => coversLabels(rest, labels.slice(index + 1)));
}
