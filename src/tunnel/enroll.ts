// Enrolment from this side: make a key that never leaves this machine, prove who the edge is, and only then show it the
// one-time token; keep the certificate it answers with.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { enrolPath, type EnrolRequest, type EnrolResponse } from '../protocol/edge.ts';
import { openDoor, type DoorOptions, type ProxyFor } from './edgeDoor.ts';
import { identityPath, saveEdgeIdentity, type EdgeIdentity, type IdentityOptions } from './edgeIdentity.ts';

/** The edge's answer has about 2 KiB. */
export const maxEnrolAnswerBytes = 64 * 1024;
export const enrolAnswerMs = 30_000;

export type EnrollOptions = IdentityOptions & {
  /** As the person names it: the edge's domain and port. */
  edge: HostPort;
  token: string;
  pin?: string;
  /** PEM of a CA that signed the edge's certificate. */
  ca?: string;
  /** Where to connect when the domain is not in DNS. */
  address?: string;
  proxyFor?: ProxyFor;
  authorities?: DoorOptions['authorities'];
  /** Throws `DESTINATION_DENIED`; asked before anything is looked up or dialled. */
  mayDial: (dialled: { carrier: 'edge'; host: string; pin?: string }) => void;
  signal: AbortSignal;
};

const answerSchema = z.object({
  connector: z.string().regex(/^[a-z0-9]{8,64}$/),
  certificate: z.string().max(16_384),
  ca: z.string().max(16_384),
  domain: z.string(),
  expiresMs: z.number(),
});
const refusalSchema = z.object({ error: z.object({ message: z.string(), retryable: z.boolean().catch(false) }) });

/** Throws `DESTINATION_DENIED`, `EDGE_UNREACHABLE`, `EDGE_IDENTITY`, `CERTIFICATE_INVALID`, `ENROLMENT_REFUSED`. */
export async function enroll(options: EnrollOptions): Promise<EdgeIdentity> {
  const { edge, token, pin, ca, address, mayDial, certs, files, folder, clock } = options;
  identityPath(folder, edge.host); // What cannot be kept must not be asked for.
  const pinned = pin === undefined ? {} : { pin };
  mayDial({ carrier: 'edge', host: formatHostPort(edge), ...pinned });
  // What is really dialled must be allowed as well: a name alone could stand for any machine.
  if (address !== undefined)
    mayDial({ carrier: 'edge', host: formatHostPort({ host: address, port: edge.port }), ...pinned });

  const { key, csr } = await certs.makeRequest();
  const trust = ca === undefined ? {} : { trusted: [ca] };
  const at = address === undefined ? {} : { at: { host: address, port: edge.port } };
  const socket = await openDoor({ ...options, ...trust, ...at, door: 'enroll', alpn: ['http/1.1'] });
  const answer = parseAnswer(await post(socket, { token, csr }, options), options, key);

  const identity: EdgeIdentity = {
    version: 1,
    ...answer,
    port: edge.port,
    key,
    ...pinned,
    ...(ca === undefined ? {} : { serverCa: ca }),
    ...(address === undefined ? {} : { address }),
  };
  await saveEdgeIdentity(identity, files, folder);
  // It is kept all the same: it is good once the clock is right, and the token is spent.
  const whose = `the new certificate of this machine for ${edge.host}`;
  const problem = certs.validityProblem(new X509Certificate(identity.certificate), clock.now(), whose);
  if (problem) throw problem;
  return identity;
}

type Answer = { status: number; body: string };

async function post(socket: TLSSocket, body: EnrolRequest, { edge, signal, clock }: EnrollOptions): Promise<Answer> {
  const tooLate = new AbortController();
  const timer = clock.after(enrolAnswerMs, () => tooLate.abort());
  try {
    return await exchange(socket, body, `enroll.${formatHostPort(edge)}`, AbortSignal.any([signal, tooLate.signal]));
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof TunnelError) throw cause;
    const what = tooLate.signal.aborted ? 'did not answer in time' : 'broke off';
    throw new TunnelError('EDGE_UNREACHABLE', `the edge ${edge.host} ${what}; the token may be spent already`, {
      cause,
    });
  } finally {
    timer.cancel();
    socket.destroy();
  }
}

function exchange(socket: TLSSocket, body: EnrolRequest, host: string, signal: AbortSignal): Promise<Answer> {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = { host, 'content-type': 'application/json', 'content-length': bytes.length, connection: 'close' };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ createConnection: () => socket, method: 'POST', path: enrolPath, headers, signal });
    request.once('error', reject);
    request.once('response', (response) => {
      readAnswer(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject);
    });
    request.end(bytes);
  });
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxEnrolAnswerBytes) throw notAnEdge(`answered more than ${maxEnrolAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseAnswer({ status, body }: Answer, { edge }: EnrollOptions, key: string): EnrolResponse {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw notAnEdge(`answered ${status} without JSON`);
  }
  const refusal = refusalSchema.safeParse(json);
  if (refusal.success) {
    const { message, retryable } = refusal.data.error;
    throw new TunnelError('ENROLMENT_REFUSED', `${edge.host}: ${printable(message)}`, { retryable });
  }
  const answer = answerSchema.safeParse(json);
  if (!answer.success) throw notAnEdge(`answered ${status} with something else than a certificate`);
  if (answer.data.domain !== edge.host) throw notAnEdge(`calls itself ${printable(answer.data.domain)}`);
  if (!belongsTo(answer.data, key)) throw notAnEdge('sent a certificate for another key');
  return answer.data;
}

function belongsTo({ certificate, ca }: EnrolResponse, key: string): boolean {
  try {
    const leaf = new X509Certificate(certificate);
    return leaf.checkPrivateKey(createPrivateKey(key)) && leaf.verify(new X509Certificate(ca).publicKey);
  } catch {
    return false; // Not certificates at all.
  }
}

const notAnEdge = (what: string): TunnelError =>
  new TunnelError('EDGE_IDENTITY', `the host ${what}: check that it is an edge of this version`);
