// acme-client, loaded with the first tunnel that asks for a certificate by ACME. It signs requests, keeps nonces and
// knows the resources of RFC 8555; its own way to the network (axios, with redirects, proxies and answers of any size)
// is replaced by the one that is handed in.
import Client from 'acme-client/src/client.js';
import type { AcmeRequest } from './acmeTransport.ts';

export type AcmeClient = InstanceType<typeof Client>;

export type AcmeClientOptions = {
  directory: string;
  accountKeyPem: string;
  /** Of an account that exists. */
  accountUrl?: string;
  request: AcmeRequest;
};

export function makeAcmeClient({ directory, accountKeyPem, accountUrl, request }: AcmeClientOptions): AcmeClient {
  const known = accountUrl === undefined ? {} : { accountUrl };
  const client = new Client({ directoryUrl: directory, accountKey: accountKeyPem, ...known });
  const { http } = client as unknown as { http: { request: (...words: Words) => ReturnType<AcmeRequest> } };
  http.request = (url, method, { data } = {}) =>
    request(url, method.toUpperCase(), data === undefined ? undefined : JSON.stringify(data));
  return client;
}

type Words = [url: string, method: string, options?: { data?: unknown }];
