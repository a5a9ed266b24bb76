// The keys by which issuers sign, fetched from where they publish them: under the policy, from public addresses, bounded,
// and no more often than once in a while, whatever strangers put into their tokens.
import type { JSONWebKeySet, JWK, JWSHeaderParameters } from 'jose';
import type { Clock } from '../../core/clock.ts';
import { errorInfo, TunnelError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { fetchPublicDocument, type DocumentFetchOptions, type FetchSeams } from '../publicDocument.ts';
import type { JwtWay } from '../way.ts';

/** Of a document; a set of twenty RSA keys with their certificates has less. */
export const maxDocumentBytes = 65_536;

/** Keys of one issuer; a set with more is refused, not cut. */
export const maxKeys = 50;

/** Keys are fetched anew after so long; at once for a key id that is not among them, but see {@link cooldownMs}. */
export const freshMs = 10 * 60_000;

/** Shortest time between two fetches of the same keys, also after a failure. */
export const cooldownMs = 30_000;

/** Keys of an issuer that cannot be reached any more are believed for so long. */
export const staleMs = 60 * 60_000;

/** Places whose keys are kept; the one that was asked for first makes room. */
export const maxSources = 100;

export type IssuerKeysOptions = {
  clock: Clock;
  /** Why the policy does not let keys be fetched from `host:port`; `undefined` when it does. */
  mayFetch: DocumentFetchOptions['mayFetch'];
  fetching?: FetchSeams;
  log: (message: string) => void;
};

type Fetched = { keys: JSONWebKeySet; ids: ReadonlySet<string>; host: string; atMs: number };
type Source = { fetched?: Fetched; triedMs: number; trying?: Promise<void> };

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #sources = new Map<string, Source>();

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** The keys that may have signed; `undefined` when there are none to be had just now. Never throws. */
  async keysOf(
    way: Pick<JwtWay, 'issuer' | 'jwks'>,
    { kid }: Pick<JWSHeaderParameters, 'kid'>,
  ): Promise<JSONWebKeySet | undefined> {
    const source = this.#source(JSON.stringify([way.issuer, way.jwks]));
    const { fetched } = source;
    const isFresh = fetched !== undefined && this.#isWithin(fetched.atMs, freshMs);
    if (!isFresh || (kid !== undefined && !fetched.ids.has(kid))) await this.#refresh(source, way);
    const { fetched: now } = source;
    if (!now || !this.#isWithin(now.atMs, staleMs)) return undefined;
    // The policy may have become another one since they were fetched.
    return this.#options.mayFetch(now.host) === undefined ? now.keys : undefined;
  }

  /** Whoever asks while they are being fetched waits for the same fetch. */
  async #refresh(source: Source, way: Pick<JwtWay, 'issuer' | 'jwks'>): Promise<void> {
    if (!source.trying && this.#isWithin(source.triedMs, cooldownMs)) return;
    source.triedMs = source.trying ? source.triedMs : this.#options.clock.now();
    source.trying ??= this.#fetch(way)
      .then((fetched) => void (source.fetched = fetched))
      .catch((error: unknown) => this.#options.log(`the keys of ${way.issuer}: ${errorInfo(error).message}`))
      .finally(() => delete source.trying);
    await source.trying;
  }

  async #fetch({ issuer, jwks }: Pick<JwtWay, 'issuer' | 'jwks'>): Promise<Fetched> {
    const place = jwks ?? (await this.#placeOf(issuer));
    const set = keySet(await this.#document(place, 'a set of keys'));
    const ids = new Set(set.keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid])));
    const { hostname, port } = new URL(place);
    return { keys: set, ids, host: `${hostname}:${port || 443}`, atMs: this.#options.clock.now() };
  }

  /** OpenID Connect Discovery §4; RFC 8414 §3 for an issuer without it. */
  async #placeOf(issuer: string): Promise<string> {
    const { origin, pathname } = new URL(issuer);
    const path = pathname.replace(/\/$/, '');
    const openId = `${origin}${path}/.well-known/openid-configuration`;
    const metadata = await this.#document(openId, 'an issuer’s metadata').catch((error: unknown) => {
      if (errorInfo(error).code === 'DESTINATION_DENIED') throw error;
      return this.#document(`${origin}/.well-known/oauth-authorization-server${path}`, 'an issuer’s metadata');
    });
    const { issuer: named, jwks_uri: place } = isJsonObject(metadata) ? metadata : ({} as JsonObject);
    if (named !== issuer) throw new TunnelError('UPSTREAM_PROTOCOL', 'its metadata names another issuer');
    if (typeof place !== 'string' || !URL.canParse(place)) {
      throw new TunnelError('UPSTREAM_PROTOCOL', 'its metadata does not say where they are');
    }
    return place;
  }

  async #document(url: string, what: string): Promise<JsonValue> {
    const { mayFetch, fetching } = this.#options;
    const { status, body } = await fetchPublicDocument(url, {
      what,
      maxBytes: maxDocumentBytes,
      mayFetch,
      ...fetching,
    });
    if (status !== 200) throw new TunnelError('UPSTREAM_PROTOCOL', `${new URL(url).host} answered ${status}`);
    try {
      return JSON.parse(body.toString('utf8')) as JsonValue;
    } catch (cause) {
      throw new TunnelError('UPSTREAM_PROTOCOL', `what ${new URL(url).host} answered is not JSON`, { cause });
    }
  }

  #source(key: string): Source {
    const source = this.#sources.get(key) ?? { triedMs: -Infinity };
    this.#sources.set(key, source);
    if (this.#sources.size > maxSources) this.#sources.delete(this.#sources.keys().next().value!);
    return source;
  }

  /** A clock that was set back makes nothing fresh. */
  #isWithin(sinceMs: number, spanMs: number): boolean {
    const ageMs = this.#options.clock.now() - sinceMs;
    return ageMs >= 0 && ageMs < spanMs;
  }
}

/** RFC 7517 §5. Secret keys are left out: with one, whoever can read the set could sign. */
function keySet(document: JsonValue): JSONWebKeySet {
  const { keys } = isJsonObject(document) ? document : ({} as JsonObject);
  if (!Array.isArray(keys)) throw new TunnelError('UPSTREAM_PROTOCOL', 'what was fetched is no set of keys');
  if (keys.length > maxKeys) throw new TunnelError('LIMIT', `there are more than ${maxKeys} of them`);
  const usable = keys.filter((key) => isJsonObject(key) && ['RSA', 'EC', 'OKP'].some((kind) => kind === key['kty']));
  return { keys: usable as unknown as JWK[] };
}
