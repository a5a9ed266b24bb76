// Which proxy the way to a host leads through, by the variables that everything in the field reads: `HTTPS_PROXY`, or
// `ALL_PROXY`, and `NO_PROXY`. An editor's own settings take their place where it has some.
import ipaddr from 'ipaddr.js';
import { TunnelError } from '../core/errors.ts';
import { parseHostPort, type HostPort } from '../core/hostname.ts';

export type Proxy = HostPort & {
  /** The way to the proxy itself is TLS. */
  isTls: boolean;
  /** `user:password`. */
  credentials?: string;
};

export type ProxySettings = {
  /** `http://user:password@host:port`; empty or absent for none. */
  url: string | undefined;
  /** Hosts that are dialled straight, divided by commas or spaces; an entry covers what is below it as well. */
  exceptions: string;
  /** Where a person set it, to name it in an error. */
  from: string;
};

/** Entries of `NO_PROXY` that are looked at; each has to be compared with every host that is dialled. */
const maxExceptions = 1000;

/** Lower case first, as in curl. */
export function proxyFromEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const set = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].find((name) => env[name]);
  return {
    url: set === undefined ? undefined : env[set],
    exceptions: env['no_proxy'] || env['NO_PROXY'] || '',
    from: set ?? 'HTTPS_PROXY',
  };
}

/**
 * `names`: all that the host is known by, any of which may be excepted. This machine itself is always dialled straight.
 * Throws `CONFIG_INVALID` for a setting that is no proxy's URL; it is never shown, as it may hold a password.
 */
export function proxyFor(names: readonly string[], port: number, settings: ProxySettings): Proxy | undefined {
  const { url, exceptions } = settings;
  if (!url?.trim() || names.some(isThisMachine)) return undefined;
  const entries = exceptions.split(/[\s,]+/, maxExceptions).filter((entry) => entry !== '');
  if (entries.some((entry) => names.some((name) => excepts(entry.toLowerCase(), name.toLowerCase(), port)))) {
    return undefined;
  }
  return readProxy(url.trim(), settings.from);
}

function readProxy(text: string, from: string): Proxy {
  const invalid = (what: string): TunnelError =>
    new TunnelError('CONFIG_INVALID', `${from} ${what}: write http://host:port, or http://user:password@host:port`);
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    throw invalid('is no URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`names a proxy of another kind (${url.protocol.replace(':', '')})`);
  }
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw invalid('names no host');
  const port = Number(url.port) || (isTls ? 443 : 80);
  if (url.username === '' && url.password === '') return { host, port, isTls };
  try {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return { host, port, isTls, credentials };
  } catch {
    throw invalid('has a user name or password with a stray %');
  }
}

const isThisMachine = (name: string): boolean =>
  /(?:^|\.)localhost$/i.test(name) || (ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback');

function excepts(entry: string, name: string, port: number): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInNetwork(name, entry);
  if (ipaddr.isValid(entry)) return isSameAddress(name, entry); // IPv6 without brackets would look like a port.
  let wanted: HostPort;
  try {
    wanted = parseHostPort(entry, port);
  } catch {
    return false; // An entry that says nothing excepts nothing.
  }
  if (wanted.port !== port) return false;
  if (ipaddr.isValid(wanted.host)) return isSameAddress(name, wanted.host);
  const suffix = wanted.host.replace(/^\*?\./, '');
  return suffix !== '' && !ipaddr.isValid(name) && (name === suffix || name.endsWith(`.${suffix}`));
}

function isSameAddress(name: string, entry: string): boolean {
  return ipaddr.isValid(name) && ipaddr.process(name).toString() === ipaddr.process(entry).toString();
}

function isInNetwork(name: string, entry: string): boolean {
  if (!ipaddr.isValid(name) || !ipaddr.isValidCIDR(entry)) return false;
  const address = ipaddr.process(name);
  const network = ipaddr.parseCIDR(entry);
  return address.kind() === network[0].kind() && address.match(network);
}
