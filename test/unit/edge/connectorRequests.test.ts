import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { ClaimRates } from '../../../src/edge/claimRates.ts';
import { answerConnector, type ConnectorRequestsOptions } from '../../../src/edge/connectorRequests.ts';
import type { Link } from '../../../src/edge/links.ts';
import { recordingLog } from '../../support/edgeLogs.ts';
import { FakeClock } from '../../support/fakeClock.ts';

type Ask = (params: unknown) => Promise<unknown>;

/** What a connector is answered where `failure` is what claims and renewals end in. */
function world(failure: Error, limits = { claimsPerSecondPerConnector: 0, claimBurstPerConnector: 2 }) {
  const asked = new Map<string, Ask>();
  const control = { handle: (method: string, handler: Ask) => void asked.set(method, handler) };
  const log: string[] = [];
  const clock = new FakeClock();
  const fail = async (): Promise<never> => {
    throw failure;
  };
  answerConnector({ connector: 'a'.repeat(24), session: { control } } as unknown as Link, {
    state: { noteRenewal: fail } as unknown as ConnectorRequestsOptions['state'],
    registry: { claim: fail } as unknown as ConnectorRequestsOptions['registry'],
    rates: new ClaimRates({ limits, clock, onRefused: () => {} }),
    onServed: () => {},
    port: () => 443,
    nodes: () => [],
    clock,
    log: recordingLog(log),
  });
  return { log, claim: asked.get('route/claim')!, renew: asked.get('certificate/renew')! };
}

describe('what a connector is told', () => {
  it('names no address of the registry, which the log does', async () => {
    const away = 'the registry of this edge cannot be reached (connect ECONNREFUSED 10.0.0.5:4222): try again later';
    const { claim, log } = world(new TunnelError('TIMEOUT', away));
    const refused = (await claim({}).catch((error: unknown) => error)) as TunnelError;
    expect(refused).toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(refused.message).not.toContain('10.0.0.5');
    expect(log.join()).toContain('10.0.0.5');
  });

  it('names no file of the edge', async () => {
    const { claim, log } = world(new TunnelError('STATE_UNWRITABLE', '/var/lib/edge/edge.json cannot be written'));
    await expect(claim({})).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'the edge could not note the name: its log says why',
    });
    expect(log.join()).toContain('/var/lib/edge');
  });

  it('is that it asks too much, for certificates as for names', async () => {
    const { renew, claim } = world(new TunnelError('USAGE', 'no'));
    for (let time = 0; time < 2; time += 1) await expect(renew({ csr: 5 })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(renew({ csr: 5 })).rejects.toMatchObject({ code: 'LIMIT', retryable: true });
    await expect(claim({})).rejects.toMatchObject({ code: 'LIMIT' });
  });
});
