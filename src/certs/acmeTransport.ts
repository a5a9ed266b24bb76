// One request to a certificate authority, in place of the one that acme-client would make: the policy is asked before
// DNS, at every request and for whatever host the authority names; the connection goes to the address that was judged;
// no redirect is followed, no proxy is asked; time and size are bounded. Answers are a stranger's.
import { lookup as dnsLookup } from 'node:dns/promises';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { orAborted } from '../core/orAborted.ts';
import { AcmeFailure, refusal } from './acmeFailure.ts';

/** For one request, from DNS to the last byte. */
export const acmeRequestMs = 30_000;
/** Real answers have a few kilobytes; a longer one is not read to its end. */
export const maxAcmeAnswerBytes = 256 * 1024;

export type AcmeAnswer = { status: number; headers: Readonly<Record<string, string>>; data: unknown };
export type AcmeRequest = (url: string, method: string, body?: string) => Promise<AcmeAnswer>;

export type AcmeTransportOptions = {
  /** The authority's directory; what is on its own host may be on a private network, anything else may not. */
  directory: string;
  /** Asked first, with `host:port`; throws `DESTINATION_DENIED`. */
  mayDial: (host: string) => void;
  isPublic: (address: string) => boolean;
  /** PEM; in place of the public authorities. */
  ca?: string;
  clock: Clock;
  /** For tests: names of their own. */
  resolve?: (host: string) => Promise<string[]>;
};

/** Cloud metadata and neighbours on the wire: no certificate authority is there. */
const neverDialled = new BlockList();
neverDialled.addSubnet('169.254.0.0', 16, 'ipv4');
neverDialled.addSubnet('fe80::', 10, 'ipv6');
neverDialled.addAddress('fd00:ec2::254', 'ipv6');

/** Throws `AcmeFailure` for whatever is no success; `badNonce` alone passes, since the library tries again by itself. */
export function makeAcmeRequest(options: AcmeTransportOptions, signal: AbortSignal): AcmeRequest {
  const home = new URL(options.directory).host;
  return async (text, method, body) => {
    const url = parseUrl(text);
    const host = `${url.hostname}:${url.port || 443}`;
    try {
      options.mayDial(host);
    } catch (cause) {
      if (!(cause instanceof TunnelError)) throw cause;
      throw new AcmeFailure('person', cause.message, { cause });
    }
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(acmeRequestMs)]);
    const answer = await send(url, { method, body, signal: bounded, options, home }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw cause instanceof AcmeFailure ? cause : unreachable(host, cause);
    });
    return judged(answer, host, options.clock.now());
  };
}

function judged({ status, headers, text }: RawAnswer, host: string, nowMs: number): AcmeAnswer {
  const data = /\bjson\b/.test(headers['content-type'] ?? '') ? parseJson(text, host) : text;
  if (status >= 200 && status < 300) return { status, headers, data };
  if (status < 400) throw new AcmeFailure('refused', `${host} answered with a redirect, which is not followed`);
  if (status === 400 && typeOf(data) === 'urn:ietf:params:acme:error:badNonce') return { status, headers, data };
  throw refusal(host, { status, body: data, retryAfter: headers['retry-after'], nowMs });
}

type RawAnswer = { status: number; headers: Record<string, string>; text: string };
type Sending = {
  method: string;
  body: string | undefined;
  signal: AbortSignal;
  options: AcmeTransportOptions;
  home: string;
};

async function send(url: URL, { method, body, signal, options, home }: Sending): Promise<RawAnswer> {
  const { resolve = addressesOf, isPublic, ca } = options;
  const address = await usableAddress(url, orAborted(resolve(bare(url.hostname)), signal), (one) => {
    return url.host === home || isPublic(one);
  });
  const family = isIP(address);
  const lookup: LookupFunction = (_name, { all }, found) => {
    if (all) found(null, [{ address, family }]);
    else found(null, address, family);
  };
  const headers = {
    'user-agent': 'mcp-tunnel',
    'accept-encoding': 'identity',
    'accept-language': 'en',
    ...(body === undefined ? {} : { 'content-type': 'application/jose+json' }),
  };
  return new Promise((settle, reject) => {
    const options = { method, agent: false, lookup, headers, signal, ...(ca === undefined ? {} : { ca }) };
    const outgoing = httpsRequest(url, options);
    outgoing.once('error', reject).once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxAcmeAnswerBytes) chunks.push(chunk);
        else response.destroy(new Error(`its answer is longer than ${maxAcmeAnswerBytes} bytes`));
      });
      response.once('error', reject).once('end', () => {
        const named = Object.entries(response.headers).map(([name, value]) => [name, String(value ?? '')] as const);
        const text = Buffer.concat(chunks).toString('utf8');
        settle({ status: response.statusCode ?? 0, headers: Object.fromEntries(named), text });
      });
    });
    outgoing.end(body);
  });
}

async function usableAddress(
  { hostname }: URL,
  resolving: Promise<string[]>,
  mayBe: (address: string) => boolean,
): Promise<string> {
  const addresses = await resolving;
  const [first] = addresses;
  if (first === undefined) throw new Error('its name leads to no address');
  const bad = addresses.some((one) => neverDialled.check(one, isIP(one) === 6 ? 'ipv6' : 'ipv4') || !mayBe(one));
  if (bad) throw new AcmeFailure('refused', `${hostname} leads to an address where no such authority may be`);
  return first;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.username === '' && url.password === '') return url;
  throw new AcmeFailure('refused', 'the certificate authority names an address that is no https URL');
}

function parseJson(text: string, host: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AcmeFailure('unreachable', `${host} answered something that is not JSON`, { cause });
  }
}

function unreachable(host: string, cause: unknown): AcmeFailure {
  const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
  const own = cause instanceof Error && systemCode(cause) === undefined ? cause.message : undefined;
  const why = timedOut ? `no answer in ${acmeRequestMs / 1000} s` : (systemCode(cause) ?? own ?? 'unknown error');
  return new AcmeFailure('unreachable', `${host} cannot be reached (${why})`, { cause });
}

function typeOf(data: unknown): unknown {
  return typeof data === 'object' && data !== null ? (data as { type?: unknown }).type : undefined;
}

async function addressesOf(host: string): Promise<string[]> {
  return (await dnsLookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
