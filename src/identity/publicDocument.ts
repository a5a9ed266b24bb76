// Fetches a document from a place of the public Internet: one in which a client describes itself, from an address that a
// stranger chose, or the keys of an issuer. The policy is asked before DNS; every address that the name has must be
// public, and the connection goes to just those; no redirect is followed; time and size are bounded.
import { lookup as dnsLookup } from 'node:dns/promises';
import { request } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { TunnelError } from '../core/errors.ts';
import { orAborted } from '../core/orAborted.ts';
import { isPublicAddress } from './publicAddress.ts';

/** For the whole of it, from DNS to the last byte. */
export const documentTimeoutMs = 5_000;

export type FetchedDocument = { status: number; headers: Record<string, string>; body: Buffer };

export type DocumentFetchOptions = {
  /** What it is, for a person: `a client’s document`. */
  what: string;
  /** A longer one is not read to its end, and refused. */
  maxBytes: number;
  /** Asked first, with `host:port`: why the policy says no, or `undefined` when it does not. */
  mayFetch: (host: string) => string | undefined;
} & FetchSeams;

/** For tests: names and addresses of their own. */
export type FetchSeams = {
  resolve?: (host: string) => Promise<string[]>;
  isPublic?: (address: string) => boolean;
  ca?: string;
  timeoutMs?: number;
};

/** Throws `DESTINATION_DENIED` or `UPSTREAM_UNREACHABLE`, naming the host. */
export async function fetchPublicDocument(text: string, options: DocumentFetchOptions): Promise<FetchedDocument> {
  const { what, mayFetch, isPublic = isPublicAddress, resolve = addressesOf } = options;
  const url = new URL(text);
  const host = `${url.hostname}:${url.port || 443}`;
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || isIP(bare(url.hostname)) !== 0) {
    throw new TunnelError('DESTINATION_DENIED', `${what} must be at an https address with a name, not ${host}`);
  }
  const denied = mayFetch(host);
  if (denied !== undefined) throw new TunnelError('DESTINATION_DENIED', denied);
  const signal = AbortSignal.timeout(options.timeoutMs ?? documentTimeoutMs);
  try {
    const addresses = await orAborted(resolve(url.hostname), signal);
    const [first] = addresses;
    if (first === undefined || !addresses.every(isPublic)) {
      throw new TunnelError('DESTINATION_DENIED', `${url.hostname} leads to an address that is not public`);
    }
    return await get(url, first, signal, options);
  } catch (cause) {
    if (cause instanceof TunnelError) throw cause;
    throw new TunnelError('UPSTREAM_UNREACHABLE', `${what} at ${host} could not be fetched`, { cause });
  }
}

function get(
  url: URL,
  address: string,
  signal: AbortSignal,
  { ca, maxBytes }: Pick<DocumentFetchOptions, 'ca' | 'maxBytes'>,
): Promise<FetchedDocument> {
  const family = isIP(address);
  const lookup: LookupFunction = (_name, { all }, found) => {
    if (all) found(null, [{ address, family }]);
    else found(null, address, family);
  };
  return new Promise((settle, reject) => {
    const headers = { accept: 'application/json', 'accept-encoding': 'identity' };
    const outgoing = request(url, { agent: false, lookup, headers, signal, ...(ca === undefined ? {} : { ca }) });
    outgoing.once('error', reject).once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxBytes) chunks.push(chunk);
        else response.destroy(new Error(`more than ${maxBytes} bytes`));
      });
      response.once('error', reject).once('end', () => {
        const { 'content-type': type = '', 'cache-control': cache = '' } = response.headers;
        settle({
          status: response.statusCode ?? 0,
          headers: { 'content-type': type, 'cache-control': cache },
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.end();
  });
}

async function addressesOf(host: string): Promise<string[]> {
  return (await dnsLookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
