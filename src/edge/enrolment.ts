// The enrolment door: POST /enroll takes a one-time token and a certificate request, and answers with the connector's
// certificate. Everything in the request was written by a stranger; a token is spent only for a request that is valid.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { maxCsrLength } from '../certs/csr.ts';
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError, type ErrorInfo } from '../core/errors.ts';
import { enrolPath, type EnrolResponse } from '../protocol/edge.ts';
import { enrolConnector } from './certificates.ts';
import type { EnrolmentAuthority } from './edgeAuthority.ts';
import type { EdgeLog } from './edgeLog.ts';

/** A request has about 500 bytes. */
export const maxEnrolBytes = 16 * 1024;
/** A body that takes longer than this to arrive is refused. */
export const enrolBodyMs = 10_000;

const requestSchema = z.object({ token: z.string().max(200), csr: z.string().max(maxCsrLength) });

export type EnrolmentOptions = { clock: Clock; log: EdgeLog };
export type EnrolmentHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Never throws; every fault becomes an answer. */
export function enrolmentHandler(state: EnrolmentAuthority, options: EnrolmentOptions): EnrolmentHandler {
  return (request, response) => {
    enrol(state, options, request).then(
      (answer) => send(response, 200, answer),
      (error: unknown) => refuse(response, error, options.log),
    );
  };
}

async function enrol(
  state: EnrolmentAuthority,
  { clock, log }: EnrolmentOptions,
  request: IncomingMessage,
): Promise<EnrolResponse> {
  const path = request.url?.split('?', 1)[0];
  if (path !== enrolPath) throw new Refusal(404, 'NOT_FOUND', `only ${enrolPath} is answered here`);
  if (request.method !== 'POST') throw new Refusal(405, 'USAGE', `${enrolPath} takes POST only`);

  const enrolled = await enrolConnector(state, parseRequest(await readBody(request, clock)), clock);
  const { connector } = enrolled;
  log.info('connector-enrolled', `connector ${connector} enrolled`, { connector });
  return enrolled;
}

class Refusal extends TunnelError {
  readonly status: number;

  constructor(status: number, ...rest: ConstructorParameters<typeof TunnelError>) {
    super(...rest);
    this.status = status;
  }
}

function readBody(request: IncomingMessage, clock: Clock): Promise<string> {
  const tooLarge = new Refusal(413, 'LIMIT', `an enrolment request has at most ${maxEnrolBytes} bytes`);
  if (Number(request.headers['content-length']) > maxEnrolBytes) return Promise.reject(tooLarge);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (act: () => void): void => {
      timer.cancel();
      request.off('data', onData).pause();
      act();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxEnrolBytes) settle(() => reject(tooLarge));
      else chunks.push(chunk);
    };
    const late = new Refusal(408, 'TIMEOUT', 'the enrolment request took too long to arrive');
    const timer = clock.after(enrolBodyMs, () => settle(() => reject(late)));
    request.on('data', onData);
    request.once('end', () => settle(() => resolve(Buffer.concat(chunks).toString('utf8'))));
    request.once('error', (error) => settle(() => reject(error)));
    request.once('close', () => settle(() => reject(new Refusal(400, 'CLOSED', 'the request was cut off'))));
  });
}

function parseRequest(body: string): z.infer<typeof requestSchema> {
  try {
    return requestSchema.parse(JSON.parse(body));
  } catch {
    throw new Refusal(400, 'USAGE', 'an enrolment request is JSON with the texts “token” and “csr”');
  }
}

function refuse(response: ServerResponse, error: unknown, log: EdgeLog): void {
  const status = statusOf(error);
  if (status < 500) return send(response, status, { error: errorInfo(error) });
  // The reason names files of the edge: it is for whoever runs it.
  log.error('enrolment-failed', `enrolment failed: ${errorInfo(error).message}`);
  const hidden: ErrorInfo = {
    code: 'INTERNAL',
    message: 'the edge could not enroll: its log says why',
    retryable: true,
  };
  send(response, status, { error: hidden });
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  const code = error instanceof TunnelError ? error.code : undefined;
  if (code === 'ENROLMENT_REFUSED') return 403;
  if (code === 'LIMIT') return 409;
  // The only certificate a stranger hands in is the request; a fault of ours in issuing it cannot carry this code.
  return code === 'CERTIFICATE_INVALID' ? 400 : 500;
}

function send(response: ServerResponse, status: number, answer: EnrolResponse | { error: ErrorInfo }): void {
  if (response.destroyed || response.headersSent) return;
  const body = JSON.stringify(answer);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: 'POST' } : {}),
    // What is left of a refused body is not read: the connection cannot be used again.
    ...(status === 200 ? {} : { connection: 'close' }),
  });
  response.end(body);
}
