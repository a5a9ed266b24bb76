// An issuer of JWTs as a real HTTPS server at a public name: its metadata, its keys, and tokens that it signs.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import type { FetchSeams } from '../../src/identity/publicDocument.ts';
import { anAuthority } from './certs.ts';

export type Answered = { status?: number; headers?: Record<string, string>; body: string };

/** An absent claim may be spelled out. */
type Claims = { [name in keyof JWTPayload]?: JWTPayload[name] | undefined };

export type TestIssuer = {
  /** `https://issuer.example:PORT` */
  url: string;
  host: string;
  jwks: string;
  /** Paths that were asked for, in turn. */
  asked: string[];
  /** What is answered at a path; another answer may be put in place. */
  pages: Map<string, Answered>;
  fetching: FetchSeams;
  keys: Record<string, { privateKey: CryptoKey; jwk: JWK }>;
  /** Signed by the first key of the algorithm, with the claims of a good token. */
  sign: (claims?: Claims, header?: { alg?: string; kid?: string }) => Promise<string>;
};

export const audience = 'https://tunnel.example/mcp';

/** Made once: RSA keys take their time. */
let madeKeys: Promise<TestIssuer['keys']> | undefined;

async function makeKeys(): Promise<TestIssuer['keys']> {
  const keys: TestIssuer['keys'] = {};
  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    keys[alg] = { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' } };
  }
  return keys;
}

export async function anIssuer(nowMs: () => number = Date.now): Promise<TestIssuer> {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['issuer.example'], publicKey: key.publicKey, days: 1 });
  const asked: string[] = [];
  const pages = new Map<string, Answered>();
  const server = createServer({ key: key.privateKeyPem, cert }, (request, response) => {
    asked.push(request.url ?? '');
    const { status = 200, headers, body } = pages.get(request.url ?? '') ?? { status: 404, body: 'nothing here' };
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const host = `issuer.example:${(server.address() as AddressInfo).port}`;
  const url = `https://${host}`;

  madeKeys ??= makeKeys();
  const keys = { ...(await madeKeys) };
  pages.set('/keys', { body: JSON.stringify({ keys: Object.values(keys).map(({ jwk }) => jwk) }) });
  pages.set('/.well-known/openid-configuration', { body: JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }) });

  const sign: TestIssuer['sign'] = (claims = {}, header = {}) => {
    const now = Math.floor(nowMs() / 1000);
    const { alg = 'ES256', kid = alg } = header;
    return new SignJWT({
      iss: url,
      aud: audience,
      sub: 'repo:acme/app',
      iat: now,
      exp: now + 600,
      ...claims,
    } as JWTPayload)
      .setProtectedHeader({ alg, kid })
      .sign(keys[alg]!.privateKey);
  };
  const fetching = { resolve: async () => ['127.0.0.1'], isPublic: () => true, ca: authority.certificatePem };
  return { url, host, jwks: `${url}/keys`, asked, pages, fetching, keys, sign };
}
