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
  /** How a person calls it: its host. */
  authority: string;
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
  const order = parsed(options, orderSchema, await client.createOrder({ identifiers }));
  if (order.status === 'pending') await prove(order, options);
  const ready = await settled(order, ['ready', 'valid'], options);
  if (ready.status === 'ready') await client.finalizeOrder(ready as never, csrPem);
  const valid = await settled(ready, ['valid'], options);
  signal.throwIfAborted();
  const chain: unknown = await client.getCertificate(valid as never);
  if (typeof chain !== 'string' || chain.length > maxChainLength) {
    throw refused(options, 'gave out something that is no certificate');
  }
  return chain;
}

async function prove(order: Order, options: AcmeOrderOptions): Promise<void> {
  const { client, hostname, show, onLook, clock } = options;
  const authorization = await authorizationOf(order, options);
  if (authorization.status === 'valid') return;
  if (authorization.identifier.value.toLowerCase() !== hostname) {
    throw refused(options, 'asks for proof of another name than the one that was ordered');
  }
  const offered = authorization.challenges.flatMap((one) => challengeSchema.safeParse(one).data ?? []);
  const challenge = offered.find(({ type }) => type === 'tls-alpn-01');
  if (!challenge) throw refused(options, 'does not look at names by TLS-ALPN-01');

  const key = await makeKeyPair();
  const keyAuthorization = await client.getChallengeKeyAuthorization(challenge as never);
  const certificatePem = challengeCertificate(hostname, keyAuthorization, key, clock.now());
  const hide = show({ keyPem: key.privateKeyPem, certificatePem });
  try {
    onLook();
    await client.completeChallenge(challenge as never);
    await poll(options, async () => {
      const { status, challenges } = await authorizationOf(order, options);
      if (status === 'valid') return true;
      if (status === 'pending' || status === 'processing') return undefined;
      const failed = challenges.flatMap((one) => challengeSchema.safeParse(one).data ?? []);
      const { error } = failed.find(({ url }) => url === challenge.url) ?? {};
      throw refused(options, `looked at ${hostname} and did not find this tunnel: ${problemText(error)}`);
    });
  } finally {
    hide();
  }
}

async function authorizationOf(order: Order, options: AcmeOrderOptions): Promise<z.infer<typeof authorizationSchema>> {
  const [authorization] = await options.client.getAuthorizations(order as never);
  return parsed(options, authorizationSchema, authorization);
}

/** The order once it has one of the states. */
function settled(order: Order, wanted: readonly string[], options: AcmeOrderOptions): Promise<Order> {
  return poll(options, async () => {
    const now = parsed(options, orderSchema, await options.client.getOrder(order as never));
    if (wanted.includes(now.status)) return now;
    if (now.status !== 'invalid') return undefined;
    throw refused(options, `made the order invalid: ${problemText(now.error)}`);
  });
}

async function poll<T>(options: AcmeOrderOptions, look: () => Promise<T | undefined>): Promise<T> {
  const { clock, signal } = options;
  const until = clock.now() + acmePatienceMs;
  for (let waitMs = pollMs; ; waitMs = Math.min(waitMs + pollMs, slowestPollMs)) {
    const found = await look();
    if (found !== undefined) return found;
    if (clock.now() + waitMs > until) {
      throw refused(options, `did not come to an end in ${acmePatienceMs / 1000} s`);
    }
    await delay(clock, waitMs, signal);
  }
}

function parsed<T>(options: AcmeOrderOptions, schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw refused(options, 'answered something that is not ACME', result.error);
}

const refused = ({ authority }: AcmeOrderOptions, what: string, cause?: unknown): AcmeFailure =>
  new AcmeFailure('refused', `${authority} ${what}`, { cause });
