// Who may come in at all, by address: as a person writes it (`allowFrom`: networks, `AS1234`, vendors' names), and as the
// edge is told (`Admission`). Both are read here, so that the two ends agree on what is valid.
import { TunnelError } from './errors.ts';
import { isJsonObject } from './json.ts';
import { formatNetwork, parseNetwork } from './network.ts';
import { vendorNetworks } from './vendorNetworks.ts';

/** Entries of one tunnel; a vendor's list counts as many as it has. */
export const maxNetworks = 1000;
export const maxAsns = 100;

/** Visitors' addresses that are let through, before a byte of their TLS is answered: one of either list. */
export type Admission = {
  /** Networks as CIDR. */
  networks?: string[];
  /** Autonomous systems by number, for edges that can tell; others refuse the claim with `USAGE`. */
  asns?: number[];
  /** An authority may look whether the name is ours (TLS-ALPN-01, RFC 8737): it comes from addresses it does not tell. */
  challenges?: true;
};

/** What people wrote, one entry each. Throws `USAGE`, naming the entry. */
export function parseAllowFrom(entries: readonly string[]): Admission {
  if (entries.length > maxNetworks) throw tooMany();
  return checked(entries.flatMap(networksOf), entries.flatMap(asnOf));
}

/** What a connector wrote into its claim. Throws `USAGE`, naming the place. */
export function parseAdmission(value: unknown): Admission {
  if (!isJsonObject(value)) throw new TunnelError('USAGE', 'admission: an object with networks or asns is expected');
  const { networks = [], asns = [], challenges, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new TunnelError('USAGE', `admission: “${unknown.slice(0, 40)}” is not known here`);
  if (!Array.isArray(networks)) throw new TunnelError('USAGE', 'admission.networks: a list is expected');
  if (!Array.isArray(asns)) throw new TunnelError('USAGE', 'admission.asns: a list is expected');
  if (challenges !== undefined && challenges !== true)
    throw new TunnelError('USAGE', 'admission.challenges: only true');
  if (networks.length > maxNetworks || asns.length > maxAsns) throw tooMany();
  const admission = checked(
    networks.map((text: unknown, at) => atPlace(`admission.networks[${at}]`, () => parsedNetwork(text))),
    asns.map((asn: unknown, at) => atPlace(`admission.asns[${at}]`, () => parsedAsn(asn))),
  );
  return challenges ? { ...admission, challenges } : admission;
}

/** The CIDRs or addresses of a vendor's published JSON file (`prefixes`), or of a text with one a line. Throws `USAGE`. */
export function networksInFile(text: string): string[] {
  const entries = text.trimStart().startsWith('{') ? prefixesOf(text) : linesOf(text);
  if (entries.length === 0) throw new TunnelError('USAGE', 'it names no network');
  return entries.map((entry) => formatNetwork(parseNetwork(entry)));
}

function networksOf(entry: string): string[] {
  const vendor = vendorNetworks.find(({ name }) => name === entry);
  if (vendor && 'networks' in vendor) return [...vendor.networks];
  if (vendor) {
    const how = `fetch ${vendor.list}, and name that file with an @ before it`;
    throw new TunnelError('USAGE', `the addresses of ${vendor.label} change: ${how}`);
  }
  if (/^AS\d+$/i.test(entry)) return [];
  if (/[.:/]/.test(entry)) return [formatNetwork(parseNetwork(entry))];
  const names = vendorNetworks.flatMap((known) => ('networks' in known ? [known.name] : []));
  const forms = `a network (192.0.2.0/24), AS64500, or a vendor (${names.join(', ')})`;
  throw new TunnelError('USAGE', `“${entry.slice(0, 60)}” says nobody to let in: write ${forms}`);
}

function asnOf(entry: string): number[] {
  const [, digits] = /^AS(\d+)$/i.exec(entry) ?? [];
  return digits === undefined ? [] : [parsedAsn(Number(digits))];
}

function parsedNetwork(text: unknown): string {
  if (typeof text !== 'string') throw new TunnelError('USAGE', 'a network is expected');
  return formatNetwork(parseNetwork(text));
}

/** RFC 6793: 32 bits; 0 is nobody's (RFC 7607). */
function parsedAsn(asn: unknown): number {
  if (typeof asn === 'number' && Number.isInteger(asn) && asn > 0 && asn < 2 ** 32) return asn;
  throw new TunnelError('USAGE', `an autonomous system has a number from 1 to ${2 ** 32 - 1}`);
}

function checked(networks: readonly string[], asns: readonly number[]): Admission {
  if (networks.length > maxNetworks || asns.length > maxAsns) throw tooMany();
  // Nobody at all is most likely not what was meant, and everybody is said by leaving it out.
  if (networks.length + asns.length === 0) throw new TunnelError('USAGE', 'nobody is named who may come in');
  return {
    ...(networks.length > 0 ? { networks: [...new Set(networks)] } : {}),
    ...(asns.length > 0 ? { asns: [...new Set(asns)] } : {}),
  };
}

function prefixesOf(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TunnelError('USAGE', 'it is not valid JSON', { cause });
  }
  const prefixes = isJsonObject(value) ? value['prefixes'] : undefined;
  if (!Array.isArray(prefixes)) throw new TunnelError('USAGE', 'it has no list “prefixes”');
  return prefixes.map((prefix: unknown, at) => {
    const { ipv4Prefix, ipv6Prefix } = isJsonObject(prefix) ? prefix : {};
    const network = ipv4Prefix ?? ipv6Prefix;
    if (typeof network === 'string') return network;
    throw new TunnelError('USAGE', `prefixes[${at}] has neither ipv4Prefix nor ipv6Prefix`);
  });
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const entry = line.replace(/#.*$/, '').trim();
    return entry === '' ? [] : [entry];
  });
}

function atPlace<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof TunnelError ? new TunnelError('USAGE', `${place}: ${error.message}`) : error;
  }
}

const tooMany = (): TunnelError =>
  new TunnelError('LIMIT', `at most ${maxNetworks} networks and ${maxAsns} autonomous systems can be named`);
