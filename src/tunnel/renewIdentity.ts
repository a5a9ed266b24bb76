// One renewal of this machine's certificate for an edge: a new key, a request over a link that stands, and the answer in
// the identity's file in one step. The file's lock is held meanwhile, so of several processes one renews and the others
// find the new certificate; nothing is kept that the next dial could not use.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { TunnelError } from '../core/errors.ts';
import type { RenewedCertificate } from '../protocol/edge.ts';
import {
  identityPath,
  parseEdgeIdentity,
  printEdgeIdentity,
  type EdgeIdentity,
  type IdentityOptions,
} from './edgeIdentity.ts';

/** `certificate/renew` over a link that is up. */
export type AskForCertificate = (csr: string) => Promise<RenewedCertificate>;

const answerSchema = z.object({ certificate: z.string().max(16_384) });

/** At two thirds of its life. */
export function renewalDueMs(certificate: X509Certificate): number {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  return to - (to - from) / 3;
}

export type IdentityState = { dueMs: number; endsMs: number };

/** Throws `NOT_ENROLLED`, `CONFIG_INVALID`. */
export async function identityState(domain: string, { files, folder }: IdentityOptions): Promise<IdentityState> {
  const path = identityPath(folder, domain);
  return stateOf(parseKept(await files.read(path), path, domain).certificate);
}

/**
 * Does nothing where another process was faster. Throws what `ask` throws, `EDGE_IDENTITY` or `CERTIFICATE_INVALID` for
 * an answer that is of no use, `STATE_UNWRITABLE`, `CONFLICT`; the certificate that was there stays then.
 */
export async function renewIdentity(
  domain: string,
  options: IdentityOptions,
  ask: AskForCertificate,
): Promise<IdentityState & { renewed: boolean }> {
  const { files, folder, clock, certs } = options;
  const path = identityPath(folder, domain);
  let renewed = false;
  const text = await files.update(path, async (old) => {
    const { identity, certificate } = parseKept(old, path, domain);
    if (clock.now() < renewalDueMs(certificate)) return old ?? '';
    const { key, csr } = await certs.makeRequest();
    const answer = answerSchema.safeParse(await ask(csr));
    if (!answer.success) throw useless(domain, 'something else than a certificate');
    const next = { ...identity, key, certificate: answer.data.certificate };
    checkAnswer(next, certificate, options);
    renewed = true;
    return printEdgeIdentity({ ...next, expiresMs: Date.parse(new X509Certificate(next.certificate).validTo) });
  });
  return { ...stateOf(parseKept(text, path, domain).certificate), renewed };
}

function parseKept(text: string | undefined, path: string, domain: string): ReturnType<typeof parseEdgeIdentity> {
  if (text !== undefined) return parseEdgeIdentity(text, path, domain);
  throw new TunnelError('NOT_ENROLLED', `this machine has no certificate for the edge ${domain} any more`);
}

const stateOf = (certificate: X509Certificate): IdentityState => ({
  dueMs: renewalDueMs(certificate),
  endsMs: Date.parse(certificate.validTo),
});

/** The same connector, the new key, the authority from enrolment, and a time that both clocks agree on. */
function checkAnswer(next: EdgeIdentity, old: X509Certificate, { certs, clock }: IdentityOptions): void {
  const { domain } = next;
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(next.certificate);
    if (!leaf.checkPrivateKey(createPrivateKey(next.key))) throw useless(domain, 'a certificate for another key');
    if (!leaf.verify(new X509Certificate(next.ca).publicKey)) throw useless(domain, 'one of another authority');
  } catch (error) {
    throw error instanceof TunnelError ? error : useless(domain, 'something else than a certificate');
  }
  if (leaf.subjectAltName !== old.subjectAltName) throw useless(domain, 'a certificate for another connector');
  const problem = certs.validityProblem(leaf, clock.now(), `the new certificate for ${domain}`);
  if (problem) throw problem;
  if (Date.parse(leaf.validTo) < Date.parse(old.validTo)) {
    throw useless(domain, `one that ends on ${leaf.validTo}, before the present one: is the edge's clock behind?`);
  }
}

const useless = (domain: string, what: string): TunnelError =>
  new TunnelError('EDGE_IDENTITY', `the edge ${domain} answered the renewal with ${what}`);
