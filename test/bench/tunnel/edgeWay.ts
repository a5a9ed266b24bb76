// The endpoint's way through an edge: the product's own carrier, with the certificate that `enroll` left in its home.
import { homedir } from 'node:os';
import type { Serve } from '../../../src/carriers/carrier.ts';
import { systemClock as clock } from '../../../src/core/clock.ts';
import { CarrierFactory } from '../../../src/helper/carrierFactory.ts';
import { privateFiles as files } from '../../../src/helper/privateFiles.ts';
import { statePaths } from '../../../src/helper/statePaths.ts';

export type EdgeWay = { domain: string; label: string; instance: string; home: string; serve: Serve };

export async function openEdgeWay({ domain, label, instance, home, serve }: EdgeWay): Promise<void> {
  const paths = statePaths({ MCP_TUNNEL_HOME: home }, process.platform, homedir());
  const factory = new CarrierFactory({ files, paths, clock, random: Math.random });
  const carrier = await factory.make({ carrier: 'edge', host: domain });
  const log = (message: string): void => void process.stderr.write(`endpoint: ${message}\n`);
  const options = { label, instance, portIsFixed: false, serve, mayDial: () => {}, log };
  await carrier.open(options, new AbortController().signal);
}
