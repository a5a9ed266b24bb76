// One order at a certificate authority (RFC 8555 §7.4), from the name to the chain: the proof is shown through the
// tunnel (RFC 8737), and the key stays here: what goes out is the request for its certificate. What the authority
// answers is a stranger's, and is read as such.
import { z } from 'zod';
import { delay, type Clock } from '../core/clock.ts';
import { AcmeFailure, problemText } from './acmeFailure.ts';
import type { AcmeClient } from './acmeLibrary.ts';
import { challengeCertificate } from './challengeCertificate.ts';
import { maxChainLength } from './chain.ts';
import { makeKeyPair } from './keyPair.ts';

/** How long the authority may take to look at the name, and again to issue. */
export const acmePatienceMs = 120_000;
const pollMs = 1_000;
const slowestPollMs = 5_000;

export type Challenge = { keyPem: string; certificatePem: string };

export type AcmeOrderOptions = {
  client: AcmeClient;
  hostname: string;
  csrPem: string;
  /** Shows the proof to whoever looks at the name, until what it returns is called. */
  show: (challenge: Challenge) => () => void;
  /** From now on the authority looks at the name, and a failure counts. */
  onLook: () => void;
  clock: Clock;
  signal: AbortSignal;
};

const text = z.string().max(2048);
const orderSchema = z.looseObject({
  status: text,
  url: text,
  finalize: text,
  authorizations: z.array(text).length(1, 'one authorization for one name'),
  certificate: text.optional(),
  error: z.unknown().optional(),
});
const challengeSchema = z.looseObject({
  type: text,
  url: text,
  status: text,
  token: text,
  error: z.unknown().optional(),
});
const authorizationSchema = z.looseObject({
  status: text,
  identifier: z.looseObject({ type: z.literal('dns'), value: text }),
  challenges: z.array(z.unknown()).max(32),
});

type Order = z.infer<typeof orderSchema>;

/** The chain as PEM, unchecked. Throws `AcmeFailure`, and what the signal says. */
export async function orderCertificate(options: AcmeOrderOptions): Promise<string> {
  const { client, hostname, csrPem, signal } = options;
  const identifiers = [{ type: 'dns', value: hostname }];
  const order = parsed(orderSchema, await client.createOrder({ identifiers }));
  if (order.status === 'pending') await prove(order, options);
  const ready = await settled(order, ['ready', 'valid'], options);
  if (ready.status === 'ready') await client.finalizeOrder(ready as never, csrPem);
  const valid = await settled(ready, ['valid'], options);
  signal.throwIfAborted();
  const chain: unknown = await client.getCertificate(valid as never);
  if (typeof chain !== 'string' || chain.length > maxChainLength) {
    throw new AcmeFailure('refused', 'what it gave out as a certificate is none');
  }
  return chain;
}

async function prove(order: Order, { client, hostname, show, onLook, clock, signal }: AcmeOrderOptions): Promise<void> {
  const authorization = await authorizationOf(client, order);
  if (authorization.status === 'valid') return;
  if (authorization.identifier.value.toLowerCase() !== hostname) {
    throw new AcmeFailure('refused', 'it asks for proof of another name than the one that was ordered');
  }
  const offered = authorization.challenges.flatMap((one) => challengeSchema.safeParse(one).data ?? []);
  const challenge = offered.find(({ type }) => type === 'tls-alpn-01');
  if (!challenge) throw new AcmeFailure('refused', 'it does not look at names by TLS-ALPN-01');

  const key = await makeKeyPair();
  const keyAuthorization = await client.getChallengeKeyAuthorization(challenge as never);
  const certificatePem = challengeCertificate(hostname, keyAuthorization, key, clock.now());
  const hide = show({ keyPem: key.privateKeyPem, certificatePem });
  try {
    onLook();
    await client.completeChallenge(challenge as never);
    await poll(clock, signal, async () => {
      const { status, challenges } = await authorizationOf(client, order);
      if (status === 'valid') return true;
      if (status === 'pending' || status === 'processing') return undefined;
      const failed = challenges.flatMap((one) => challengeSchema.safeParse(one).data ?? []);
      const { error } = failed.find(({ url }) => url === challenge.url) ?? {};
      throw new AcmeFailure('refused', `it looked at ${hostname} and did not find this tunnel: ${problemText(error)}`);
    });
  } finally {
    hide();
  }
}

async function authorizationOf(client: AcmeClient, order: Order): Promise<z.infer<typeof authorizationSchema>> {
  const [authorization] = await client.getAuthorizations(order as never);
  return parsed(authorizationSchema, authorization);
}

/** The order once it has one of the states. */
function settled(order: Order, wanted: readonly string[], options: AcmeOrderOptions): Promise<Order> {
  const { client, clock, signal } = options;
  return poll(clock, signal, async () => {
    const now = parsed(orderSchema, await client.getOrder(order as never));
    if (wanted.includes(now.status)) return now;
    if (now.status !== 'invalid') return undefined;
    throw new AcmeFailure('refused', `it made the order invalid: ${problemText(now.error)}`);
  });
}

async function poll<T>(clock: Clock, signal: AbortSignal, look: () => Promise<T | undefined>): Promise<T> {
  const until = clock.now() + acmePatienceMs;
  for (let waitMs = pollMs; ; waitMs = Math.min(waitMs + pollMs, slowestPollMs)) {
    const found = await look();
    if (found !== undefined) return found;
    if (clock.now() + waitMs > until) {
      throw new AcmeFailure('refused', `it did not come to an end in ${acmePatienceMs / 1000} s`);
    }
    await delay(clock, waitMs, signal);
  }
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new AcmeFailure('refused', 'it answered something that is not ACME', { cause: result.error });
}
